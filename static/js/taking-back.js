/** What a person takes out of the outbox again: to change it, to drop it, or to send it after all. Fetched when needed. */

import { draftKey, find, remove, STRICT } from './outbox.js';

/** @import { Disk, Draft, Entry, Tx } from './types.js' */

/** What a person may want back although it may be on its way. */
const RETRACTABLE = new Set(['reply', 'note']);

/** @satisfies {Partial<Entry>} */
const UNJUDGED = Object.freeze({
  state: /** @type {const} */ ('waiting'),
  result: null,
  attempts: 0,
  last_error: null,
});

/** Raised when an operation may already be on its way, so that it cannot be taken back. */
export class PossiblySent extends Error {}

/**
 * Take an operation out. Raises PossiblySent when it was tried and has no answer yet.
 * @param {Disk} disk
 * @param {string} op_id
 * @returns {Promise<Entry|null>}
 */
export function discard(disk, op_id) {
  return disk.write(
    ['outbox', 'photos'],
    async (tx) => {
      const entry = await find(tx, op_id);
      if (entry) remove(tx, own(entry));
      return entry ?? null;
    },
    STRICT,
  );
}

/**
 * Back to the composer: the draft appears in the same transaction that takes the operation out.
 * Raises PossiblySent when it was tried and has no answer yet.
 * @param {Disk} disk
 * @param {string} op_id
 * @param {{now: number, tab: string}} given
 * @returns {Promise<{key: string, draft: Draft, entry: Entry}|null>}
 */
export function edit(disk, op_id, given) {
  return disk.write(
    ['outbox', 'drafts', 'photos'],
    async (tx) => {
      const entry = await find(tx, op_id);
      if (!entry) return null;
      own(entry);
      const { key, draft } = await toDraft(tx, entry, given);
      return { key, draft, entry };
    },
    STRICT,
  );
}

/**
 * What the server held goes after all, as a new operation that names what its writer has seen since. In one transaction:
 * pressed in two tabs at once, the second finds nothing to send.
 * @param {Disk} disk
 * @param {string} op_id  of the held one
 * @param {{op_id: string, based_on: number, now: number}} given  of the new one
 * @returns {Promise<Entry|null>}  null: it is not held any more, and nothing was stored
 */
export function sendAnyway(disk, op_id, given) {
  return disk.write(
    ['outbox'],
    async (tx) => {
      const held = await find(tx, op_id);
      if (held?.state !== 'held') return null;
      const { n: place, ...rest } = held;
      // She has seen what was sent before; this goes out beside it.
      const { supersedes, ...payload } = held.payload;
      const entry = {
        ...rest,
        op_id: given.op_id,
        based_on: given.based_on,
        payload,
        written_at_ms: given.now,
        not_before_ms: 0,
        ...UNJUDGED,
      };
      const n = await tx.add('outbox', entry);
      // Its photos go with the new one.
      tx.delete('outbox', place);
      return { ...entry, n };
    },
    STRICT,
  );
}

/**
 * Another reply goes in the stead of one that waits or was refused: the channel takes an approved text where it takes no
 * other words. Words of her own become a draft again, in the same transaction. When they may be on their way, the server
 * sees to it that only one of the two takes effect.
 * @param {Disk} disk
 * @param {string} op_id
 * @param {{op_id: string, payload: Record<string, any>, based_on: number, now: number, tab: string}} given
 * @returns {Promise<Entry|null>}  null: it is not there any more, or arrived, and nothing was stored
 */
export function instead(disk, op_id, given) {
  return disk.write(
    ['outbox', 'drafts', 'photos'],
    async (tx) => {
      const entry = await find(tx, op_id);
      if (!entry || entry.state === 'accepted') return null;
      const { supersedes = [], ...payload } = entry.payload;
      const waits = entry.state === 'waiting';
      const earlier = waits ? [...supersedes, ...(entry.attempts ? [op_id] : [])] : [];
      if (payload.approved) remove(tx, entry);
      else await toDraft(tx, { ...entry, payload }, given);
      const reply = {
        v: /** @type {const} */ (1),
        op_id: given.op_id,
        kind: /** @type {const} */ ('reply'),
        conversation_id: entry.conversation_id,
        based_on: given.based_on,
        payload: earlier.length ? { ...given.payload, supersedes: earlier } : given.payload,
        written_at_ms: given.now,
        not_before_ms: 0,
        ...UNJUDGED,
      };
      return { ...reply, n: await tx.add('outbox', reply) };
    },
    STRICT,
  );
}

/**
 * The words of an operation that was tried and has no answer yet. To change them they become a draft that names what it
 * replaces; the server then sees to it that only one of the two takes effect. To drop them, `withdrawal` (a new
 * operation's id) asks the server never to let them take effect. Raises PossiblySent for operations without words.
 * @param {Disk} disk
 * @param {string} op_id
 * @param {{now: number, tab: string, withdrawal: string|null}} given
 * @returns {Promise<Entry|null>}
 */
export function takeBack(disk, op_id, { now, tab, withdrawal }) {
  return disk.write(
    ['outbox', 'drafts', 'photos'],
    async (tx) => {
      const entry = await find(tx, op_id);
      if (!entry) return null;
      if (entry.state !== 'waiting' || !RETRACTABLE.has(entry.kind)) throw new PossiblySent(op_id);
      const op_ids = [...(entry.payload.supersedes ?? []), op_id];
      if (withdrawal === null) {
        await toDraft(tx, { ...entry, payload: { ...entry.payload, supersedes: op_ids } }, { now, tab });
        return entry;
      }
      remove(tx, entry);
      await tx.add('outbox', {
        v: 1,
        op_id: withdrawal,
        kind: 'withdraw',
        conversation_id: entry.conversation_id,
        based_on: null,
        payload: { op_ids },
        written_at_ms: now,
        not_before_ms: 0,
        ...UNJUDGED,
      });
      return entry;
    },
    STRICT,
  );
}

/**
 * The draft is of the tab that took the words back: what another tab sends does not sweep it away.
 * @param {Tx} tx @param {Entry} entry @param {{now: number, tab: string}} given
 */
async function toDraft(tx, entry, { now, tab }) {
  const key = draftKey(entry) ?? entry.conversation_id;
  const older = /** @type {Draft|undefined} */ (await tx.get('drafts', key));
  const { text = '', attachments = [], alts = {}, supersedes = [], ...fields } = entry.payload;
  // What was judged is no longer on its way.
  const replaced = entry.state === 'waiting' ? supersedes : [];
  /** @type {Draft} */
  const draft = {
    // What she typed meanwhile is as precious as what comes back.
    text: older?.text ? `${older.text}\n\n${text}` : text,
    attachments: [...(older?.attachments ?? []), ...(await described(tx, attachments, alts))],
    based_on: entry.based_on,
    updated_ms: now,
    tab,
    fields: { ...fields, ...older?.fields, kind: entry.kind },
  };
  const all = [...(older?.fields?.supersedes ?? []), ...replaced];
  if (all.length) draft.fields = { ...draft.fields, supersedes: all };
  if (draftKey(entry)) tx.put('drafts', draft, key);
  tx.delete('outbox', entry.n);
  return { key, draft };
}

/** As the composer keeps them. @param {Tx} tx @param {string[]} blobs @param {Record<string, string>} alts */
async function described(tx, blobs, alts) {
  const photos = await Promise.all(blobs.map((id) => tx.get('photos', id)));
  return blobs.map((id, i) => ({
    id,
    type: photos[i]?.type ?? '',
    name: photos[i]?.name ?? '',
    ...(alts[id] ? { alt: alts[id] } : {}),
  }));
}

/** @param {Entry} entry @returns {Entry} */
function own(entry) {
  if (entry.state === 'accepted' || (entry.state === 'waiting' && entry.attempts > 0)) {
    throw new PossiblySent(entry.op_id);
  }
  return entry;
}
