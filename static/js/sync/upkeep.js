/** What the replica needs now and then, when nobody waits for it; fetched when it is needed. */

import {
  ALL,
  isPast,
  newestOf,
  overlay,
  parseBlock,
  removeWhere,
  SAVED,
  saved,
} from './replica.js';

/** @import { Disk, Head, Row } from '../types.js' */
/** @import { Change } from './replica.js' */

/**
 * Fold the rows into pages and heads, in one transaction. Changes nothing that anyone can see.
 * @param {Disk} disk
 * @returns {Promise<number>}  rows folded
 */
export function compact(disk) {
  return disk.write(ALL, async (tx) => {
    const next = await saved(tx);
    const rows = /** @type {Row[]} */ (await tx.getAll('rows'));
    /** @type {Map<string, {head: Row|null, messages: Row[]}>} */
    const changed = new Map();
    /** @type {Map<string, number>} */
    const tombs = new Map();
    for (const row of rows) {
      const [kind, id] = row.k.split(':');
      if (kind === 'x') tombs.set(id, row.s);
      if (kind !== 'c' && kind !== 'm') continue;
      const entry = changed.get(id) ?? { head: null, messages: [] };
      if (kind === 'c') entry.head = row;
      else entry.messages.push(row);
      changed.set(id, entry);
    }
    let folded = 0;
    /** @type {Map<number, Head[]>} */
    const blocks = new Map();
    for (const [id, { head, messages }] of changed) {
      if (messages.length) {
        const whole = overlay(await tx.get('pages', id), messages, tombs.get(id) ?? 0);
        // A page says that nothing before its last message is missing (see noteChecks).
        if (whole.every((message, i) => message.position === i + 1)) {
          tx.put('pages', JSON.stringify(whole), id);
          for (const row of messages) tx.delete('rows', row.k);
          folded += messages.length;
        }
      }
      if (head) {
        const body = /** @type {Head} */ (JSON.parse(head.b));
        const key = Number(body.number) >> 6;
        const block = blocks.get(key) ?? parseBlock(await tx.get('heads', key));
        blocks.set(key, [...block.filter((other) => other.id !== id || other.s > head.s), body]);
        tx.delete('rows', head.k);
        folded += 1;
      }
    }
    for (const [key, block] of blocks) tx.put('heads', JSON.stringify(newestOf(block)), key);
    next.rows -= folded;
    tx.put('meta', next, SAVED);
    return folded;
  });
}

/**
 * Drop the conversations that the window no longer covers.
 * @param {Disk} disk
 * @param {string[]} ids  candidates; each is judged again inside the transaction
 * @param {number} now
 * @returns {Promise<Change>}
 */
export function purge(disk, ids, now) {
  return disk.write(ALL, async (tx) => {
    const next = await saved(tx);
    const wanted = new Set(ids);
    const past = (/** @type {Head} */ head) =>
      wanted.has(head.id) && isPast(head, next.scope?.window_days, now);
    const gone = await removeWhere(tx, past);
    next.version += gone.length ? 1 : 0;
    tx.put('meta', next, SAVED);
    return { rows: [], heads: [], pages: [], gone, saved: next };
  });
}

/**
 * Drop the shifts and absences of teams that she does not see any more.
 * @param {Disk} disk
 * @returns {Promise<Change|null>}  null: there were none
 */
export function narrowRota(disk) {
  return disk.write(ALL, async (tx) => {
    const next = await saved(tx);
    const rota = next.scope?.rota;
    if (!rota) return null; // an older server shows everybody everything
    const shifts = /** @type {Row[]} */ (await tx.getAll('rows', 'shift:', 'shift;'));
    const absences = /** @type {Row[]} */ (await tx.getAll('rows', 'absence:', 'absence;'));
    const over = [
      ...shifts.filter(({ b }) => !rota.includes(JSON.parse(b).team)),
      // `absence:<id>@<team>`; without a team it is from before.
      ...absences.filter(({ k }) => !rota.includes(k.split('@')[1])),
    ];
    if (!over.length) return null;
    for (const { k } of over) tx.delete('rows', k);
    next.version += 1;
    tx.put('meta', next, SAVED);
    return { reload: true, rows: [], heads: [], pages: [], gone: [], saved: next };
  });
}
