/**
 * The replica on the disk. Two layers: what the walk brought stays as opaque strings (`pages`, and `heads` in blocks of
 * 64 numbers); what changed later lies in `rows` and is laid over it, the larger `s` winning. `upkeep.js` folds rows in.
 */

import { emptySaved, FROM_THE_TOP } from './core.js';

/** @import { Answer, Disk, Head, Message, Row, Saved, Tx, WireLine, WireRow } from '../types.js' */

export const SAVED = 'saved';
export const ALL = ['pages', 'heads', 'rows', 'meta'];
const DAY_MS = 86_400_000;

/**
 * What a commit changed, for the ones that hold a copy in memory (this tab and others).
 * @typedef {object} Change
 * @property {boolean} [reload]  too much to tell: read everything again
 * @property {Row[]} rows
 * @property {string[]} heads  raw head JSON that the walk brought
 * @property {string[]} pages  conversations whose page was written
 * @property {string[]} gone  conversations removed
 * @property {Saved} saved
 */

/**
 * The conversations in a tab's memory, true as long as the replica is at this version.
 * @typedef {{version: number, has: (id: string) => boolean}} Known
 */

/** @param {Disk} disk @returns {Promise<Saved>} */
export const loadSaved = (disk) => disk.read(['meta'], saved);

/** @param {Tx} tx @returns {Promise<Saved>} */
export async function saved(tx) {
  return { ...emptySaved(), ...(await tx.get('meta', SAVED)) };
}

/**
 * Throw everything away and begin again; the outbox is elsewhere.
 * @param {Disk} disk
 * @returns {Promise<Change>}
 */
export function reset(disk) {
  return disk.write(ALL, async (tx) => {
    const { version } = await saved(tx);
    for (const store of ALL) tx.clear(store);
    const next = { ...emptySaved(), version: version + 1 };
    tx.put('meta', next, SAVED);
    return { reload: true, rows: [], heads: [], pages: [], gone: [], saved: next };
  });
}

/**
 * The first answer to an empty phone.
 * @param {Disk} disk
 * @param {Answer} answer
 * @param {number} now
 * @returns {Promise<Change>}
 */
export function storeFirst(disk, answer, now) {
  const { header } = answer;
  return disk.write(ALL, async (tx) => {
    const { version } = await saved(tx);
    for (const store of ALL) tx.clear(store);
    const rows = answer.rows.map(toRow);
    for (const row of rows) tx.put('rows', row);
    const pages = putLines(tx, answer.lines, new Map());
    /** @type {Saved} */
    const next = {
      ...emptySaved(),
      cursor: header.head,
      version: version + 1,
      walks: header.next === null ? [] : [{ next: header.next, scopes: null }],
      scope: header.scope,
      newest: Math.max(header.head, largest(rows)),
      rows: rows.length,
      total: header.total ?? 0,
      promised: answer.lines.flatMap(({ id, messages }) => (messages === '-' ? [id] : [])),
      in_step_ms: now,
      build: header.build ?? '',
    };
    tx.put('meta', next, SAVED);
    return { rows, heads: answer.lines.map((line) => line.head), pages, gone: [], saved: next };
  });
}

/**
 * One page of a walk. Its messages are never parsed.
 * @param {Disk} disk
 * @param {Answer} answer
 * @param {{before: number, scopes: string[]|null}} request
 * @returns {Promise<Change>}
 */
export function storeWalk(disk, answer, request) {
  const { header } = answer;
  return disk.write(ALL, async (tx) => {
    const next = await saved(tx);
    const walk = next.walks[0];
    // Another tab took this step already, or the replica began anew: its state decides.
    if (
      next.cursor === null ||
      !walk ||
      walk.next !== request.before ||
      !sameScopes(walk.scopes, request.scopes)
    ) {
      return { rows: [], heads: [], pages: [], gone: [], saved: next };
    }
    const tombs = new Map(
      (await tx.getAll('rows', 'x:', 'x;')).map((row) => [row.k.slice(2), row.s]),
    );
    // A head carries the largest `s` of all its conversation's rows: below the tombstone, all of it is.
    const lines = answer.lines.filter((line) => !(tombs.get(line.id) > JSON.parse(line.head).s));
    const blocks = await readBlocks(tx, lines);
    const pages = putLines(tx, lines, blocks);
    next.walks =
      header.next === null
        ? next.walks.slice(1)
        : [{ ...walk, next: header.next }, ...next.walks.slice(1)];
    if (!walk.scopes) {
      next.have += lines.length;
      if (header.next === null) await keepPromises(tx, next);
    }
    next.version += lines.length ? 1 : 0;
    tx.put('meta', next, SAVED);
    return { rows: [], heads: lines.map((line) => line.head), pages, gone: [], saved: next };
  });
}

/**
 * The rows of a pull, with the cursor that covers them.
 * @param {Disk} disk
 * @param {Answer} answer
 * @param {number} now
 * @param {Known|null} [known]  what a tab has in memory, which saves looking
 * @returns {Promise<Change>}
 */
export function storePull(disk, answer, now, known = null) {
  const { header } = answer;
  return disk.write(ALL, async (tx) => {
    const next = await saved(tx);
    /** @type {string[]} */
    const gone = [];
    if (header.scope) await changeScope(tx, next, header.scope, gone);
    const rows = await putRows(tx, next, answer.rows, gone);
    next.cursor = header.to;
    next.build = header.build ?? next.build;
    if (!header.more) next.in_step_ms = now;
    const heads = answer.rows.filter((row) => row.key.startsWith('c:'));
    // What was on the phone before this pull was whole, or is noted already.
    const unknown =
      known?.version === next.version ? heads.filter((row) => !known.has(row.c)) : heads;
    await noteChecks(tx, next, unknown);
    next.version += rows.length || gone.length ? 1 : 0;
    tx.put('meta', next, SAVED);
    return { rows, heads: [], pages: [], gone, saved: next };
  });
}

/**
 * What comes with the person, read marks and rota: asked once after a walk.
 * @param {Disk} disk
 * @param {Answer} answer
 * @returns {Promise<Change>}
 */
export function storePersonal(disk, answer) {
  return disk.write(ALL, async (tx) => {
    const next = await saved(tx);
    /** @type {string[]} */
    const gone = [];
    const rows = await putRows(tx, next, answer.rows, gone);
    next.personal = true;
    next.version += rows.length ? 1 : 0;
    tx.put('meta', next, SAVED);
    return { rows, heads: [], pages: [], gone, saved: next };
  });
}

/**
 * A whole conversation that came back from before the window. It may be newer than the cursor, so it goes to the rows,
 * where `s` decides.
 * @param {Disk} disk
 * @param {Answer} answer
 * @param {string} id
 * @returns {Promise<Change>}
 */
export function storeConversation(disk, answer, id) {
  return disk.write(ALL, async (tx) => {
    const next = await saved(tx);
    next.checks = next.checks.filter((other) => other !== id);
    /** @type {Row[]} */
    let rows = [];
    const line = answer.lines.find((each) => each.id === id);
    const tomb = await tx.get('rows', `x:${id}`);
    if (line) {
      const head = /** @type {Head} */ (JSON.parse(line.head));
      const messages =
        line.messages === '-' ? [] : /** @type {Message[]} */ (JSON.parse(line.messages));
      if (!tomb || tomb.s < head.s) {
        const wire = messages.map((message) => messageRow(message));
        wire.push({ s: head.s, key: `c:${id}`, c: id, body: line.head });
        rows = await putRows(tx, next, wire, []);
      }
    }
    next.version += rows.length ? 1 : 0;
    tx.put('meta', next, SAVED);
    return { rows, heads: [], pages: [], gone: [], saved: next };
  });
}

/** @param {Message} message @returns {WireRow} */
function messageRow(message) {
  return { s: message.s, key: `m:${message.id}`, c: message.c, body: JSON.stringify(message) };
}

/**
 * Everything a list needs, in two reads: no message is touched.
 * @param {Disk} disk
 * @returns {Promise<{saved: Saved, blocks: string[], rows: Row[]}>}
 */
export function loadHeads(disk) {
  return disk.read(['heads', 'rows', 'meta'], async (tx) => {
    const [blocks, before, after, state] = await Promise.all([
      tx.getAll('heads'),
      tx.getAll('rows', undefined, 'm:'),
      tx.getAll('rows', 'm;'),
      saved(tx),
    ]);
    return { saved: state, blocks, rows: [...before, ...after] };
  });
}

/**
 * The messages of one conversation, page and rows laid over each other.
 * @param {Disk} disk
 * @param {string} id
 * @returns {Promise<Message[]>}
 */
export function loadMessages(disk, id) {
  return disk.read(['pages', 'rows'], async (tx) => {
    const [page, rows, tomb] = await Promise.all([
      tx.get('pages', id),
      tx.getAll('rows', `m:${id}:`, `m:${id};`),
      tx.get('rows', `x:${id}`),
    ]);
    return overlay(page, rows, tomb?.s ?? 0);
  });
}

/**
 * @param {string|undefined} page
 * @param {Row[]} rows
 * @param {number} after  messages up to this seq left this phone's sight
 * @returns {Message[]}
 */
export function overlay(page, rows, after) {
  /** @type {Map<string, Message>} */
  const found = new Map();
  if (page)
    for (const message of /** @type {Message[]} */ (JSON.parse(page)))
      found.set(message.id, message);
  for (const row of rows) {
    const message = /** @type {Message} */ (JSON.parse(row.b));
    if (row.s > (found.get(message.id)?.s ?? -1)) found.set(message.id, message);
  }
  return [...found.values()]
    .filter((message) => message.s > after)
    .sort((a, b) => Number(a.position) - Number(b.position));
}

/**
 * @param {Head} head
 * @param {number|undefined} window_days
 * @param {number} now
 */
export function isPast(head, window_days, now) {
  return (
    head.status === 'closed' &&
    window_days !== undefined &&
    head.activity_ms < now - window_days * DAY_MS
  );
}

/** @param {Tx} tx @param {WireLine[]} lines @returns {Promise<Map<number, string>>} */
async function readBlocks(tx, lines) {
  const keys = [...new Set(lines.map((line) => line.number >> 6))];
  const found = await Promise.all(keys.map((key) => tx.get('heads', key)));
  return new Map(keys.flatMap((key, i) => (found[i] === undefined ? [] : [[key, found[i]]])));
}

/**
 * @param {Tx} tx
 * @param {WireLine[]} lines
 * @param {Map<number, string>} blocks  what these blocks hold already
 * @returns {string[]}  conversations with a page
 */
function putLines(tx, lines, blocks) {
  /** @type {string[]} */
  const pages = [];
  /** @type {Map<number, string[]>} */
  const heads = new Map();
  for (const { id, number, head, messages } of lines) {
    const key = number >> 6;
    const block = heads.get(key);
    if (block) block.push(head);
    else heads.set(key, [head]);
    if (messages !== '-') {
      tx.put('pages', messages, id);
      pages.push(id);
    }
  }
  for (const [key, block] of heads) {
    // Appending text is enough: of two heads with one id, readers take the larger `s`.
    const old = blocks.get(key)?.slice(1, -1);
    tx.put('heads', `[${old ? `${old},` : ''}${block.join(',')}]`, key);
  }
  return pages;
}

/**
 * @param {Tx} tx
 * @param {Saved} next  updated in place
 * @param {WireRow[]} wire  ascending
 * @param {string[]} gone  filled
 * @returns {Promise<Row[]>}  the ones that were put
 */
async function putRows(tx, next, wire, gone) {
  let rows = wire.map(toRow);
  // Normally everything in an answer is newer than all that lies here; then there is nothing to compare.
  if (rows.length && smallest(rows) <= next.newest) {
    const old = await Promise.all(rows.map((row) => tx.get('rows', row.k)));
    rows = rows.filter((row, i) => !old[i] || old[i].s < row.s);
  }
  for (const row of rows) {
    tx.put('rows', row);
    if (row.k.startsWith('x:')) await bury(tx, row, rows, gone);
  }
  next.newest = Math.max(next.newest, largest(rows));
  next.rows += rows.length;
  return rows;
}

/**
 * A conversation left this person's sight. Its head may come back later with a larger `s`, with all its messages.
 * @param {Tx} tx
 * @param {Row} tomb
 * @param {Row[]} beside  rows of the same answer
 * @param {string[]} gone
 */
async function bury(tx, tomb, beside, gone) {
  const id = tomb.k.slice(2);
  const head = beside.find((row) => row.k === `c:${id}`) ?? (await tx.get('rows', `c:${id}`));
  if (!head || head.s < tomb.s) {
    tx.delete('rows', `c:${id}`);
    gone.push(id);
  }
  const messages = /** @type {Row[]} */ (await tx.getAll('rows', `m:${id}:`, `m:${id};`));
  for (const row of messages) if (row.s < tomb.s) tx.delete('rows', row.k);
  tx.delete('pages', id);
}

/**
 * A conversation whose head came without all its messages: it was outside the window, or older than the tombstone.
 * @param {Tx} tx
 * @param {Saved} next
 * @param {WireRow[]} wire  heads
 */
async function noteChecks(tx, next, wire) {
  const touched = wire.map((row) => row.c);
  const pages = await Promise.all(touched.map((id) => tx.keys('pages', id, id)));
  for (const [i, id] of touched.entries()) {
    if (pages[i].length || next.checks.includes(id)) continue;
    const row = await tx.get('rows', `c:${id}`);
    if (!row) continue;
    const head = /** @type {Head} */ (JSON.parse(row.b));
    // The walk will still come by.
    if (next.walks.some((walk) => Number(head.number) < walk.next && !walk.scopes)) {
      next.promised = [...next.promised, id];
      continue;
    }
    const here = await tx.keys('rows', `m:${id}:`, `m:${id};`);
    if (here.length < head.position) next.checks = [...next.checks, id];
  }
}

/**
 * The walk has ended. What was closed behind this phone's back, long ago by the time the walk came by, it left out.
 * @param {Tx} tx
 * @param {Saved} next
 */
async function keepPromises(tx, next) {
  const pages = await Promise.all(next.promised.map((id) => tx.keys('pages', id, id)));
  next.checks = [...new Set([...next.checks, ...next.promised.filter((_, i) => !pages[i].length)])];
  next.promised = [];
}

/**
 * @param {Tx} tx
 * @param {Saved} next  updated in place
 * @param {import('../types.js').Scope} scope
 * @param {string[]} gone  filled
 */
async function changeScope(tx, next, scope, gone) {
  const before = new Set(next.scope?.areas ?? []);
  const after = new Set(scope.areas);
  const lost = new Set([...before].filter((area) => !after.has(area)));
  const gained = scope.areas.filter((area) => !before.has(area));
  if (lost.size) {
    gone.push(...(await removeWhere(tx, (head) => lost.has(head.area))));
    for (const { k, b } of await tx.getAll('rows', 'meeting', 'n'))
      if (lost.has(JSON.parse(b).area)) tx.delete('rows', k);
    // Of two areas she must see both: `same:<pair>@<area>+<area>`.
    for (const { k } of await tx.getAll('rows', 'same:', 'same;')) {
      const [, areas] = k.split('@');
      if (areas.split('+').some((/** @type {string} */ area) => lost.has(area))) tx.delete('rows', k);
    }
  }
  next.walks = next.walks
    .map((walk) => ({
      ...walk,
      scopes: walk.scopes && walk.scopes.filter((area) => after.has(area)),
    }))
    .filter((walk) => walk.scopes === null || walk.scopes.length);
  if (gained.length && next.scope) {
    next.walks = [...next.walks, { next: FROM_THE_TOP, scopes: gained }];
  }
  // Areas, rota, role: what comes with the person is asked again. What is too much of the rota `upkeep.js` removes.
  next.personal = false;
  next.scope = scope;
}

/**
 * Remove conversations, wherever they lie.
 * @param {Tx} tx
 * @param {(head: Head) => boolean} chosen  judged by the newest head
 * @returns {Promise<string[]>}
 */
export async function removeWhere(tx, chosen) {
  const keys = /** @type {number[]} */ (await tx.keys('heads'));
  const blocks = (await tx.getAll('heads')).map(parseBlock);
  const rows = /** @type {Row[]} */ (await tx.getAll('rows', 'c:', 'c;'));
  const all = [...blocks.flat(), ...rows.map((row) => /** @type {Head} */ (JSON.parse(row.b)))];
  const gone = new Set(
    newestOf(all)
      .filter(chosen)
      .map((head) => head.id),
  );
  if (!gone.size) return [];
  for (const [i, block] of blocks.entries()) {
    const rest = block.filter((head) => !gone.has(head.id));
    if (rest.length === block.length) continue;
    if (rest.length) tx.put('heads', JSON.stringify(rest), keys[i]);
    else tx.delete('heads', keys[i]);
  }
  for (const id of gone) {
    tx.delete('pages', id);
    tx.delete('rows', `c:${id}`);
    tx.delete('rows', `m:${id}:`, `m:${id};`);
  }
  return [...gone];
}

/** @param {Head[]} heads @returns {Head[]}  one an id, the largest `s` */
export function newestOf(heads) {
  /** @type {Map<string, Head>} */
  const found = new Map();
  for (const head of heads) if (head.s > (found.get(head.id)?.s ?? -1)) found.set(head.id, head);
  return [...found.values()];
}

/** @param {string|undefined} block @returns {Head[]} */
export const parseBlock = (block) => (block ? JSON.parse(block) : []);

/** @param {WireRow} wire @returns {Row} */
export function toRow({ s, key, c, body }) {
  const kind = key.slice(0, 2);
  if (kind === 'm:') return { k: `m:${c}:${key.slice(2)}`, s, b: body };
  // The server keeps one for each scope and person; here only the conversation matters.
  if (kind === 'x:' || kind === 'r:') return { k: kind + c, s, b: body };
  return { k: key, s, b: body };
}

/** @param {Row[]} rows */
const largest = (rows) => rows.reduce((most, row) => Math.max(most, row.s), 0);
/** @param {Row[]} rows */
const smallest = (rows) => rows.reduce((least, row) => Math.min(least, row.s), Infinity);

/** @param {string[]|null} a @param {string[]|null} b */
const sameScopes = (a, b) => JSON.stringify(a) === JSON.stringify(b);
