/**
 * The outbox: what a person did and the server has not yet judged. Text leaves the composer only into here, in the same
 * strictly durable transaction that takes its draft away; only the server's answer, or she herself, takes it out.
 */

/** @import { Disk, Draft, Entry, OpKind, OutboxPhoto, Result, Tx } from './types.js' */
/** @import { Upload } from './sync/core.js' */

export const STRICT = { strict: true };
const OUTCOMES = new Map(
  /** @type {[string, Entry['state']][]} */ ([
    ['applied', 'accepted'],
    ['held', 'held'],
    ['rejected', 'rejected'],
  ]),
);

/**
 * The composer that an operation comes out of, by the key of its draft; null for the other kinds.
 * @param {{kind: OpKind, conversation_id: string}} op
 */
export function draftKey({ kind, conversation_id }) {
  if (kind === 'reply') return conversation_id;
  if (kind === 'note') return `${conversation_id}:note`;
  return kind === 'contact' ? 'new' : kind === 'question' ? kind : null;
}

/**
 * Store one operation and take its draft away, in one transaction. Resolves when it is on the disk; when it rejects
 * (storage full) nothing changed and the composer still has the text.
 * @param {Disk} disk
 * @param {{op_id: string, kind: OpKind, conversation_id: string, based_on: number|null, payload: Record<string, any>,
 *   written_at_ms: number, not_before_ms: number}} op
 * @param {{key: string, mine: (draft: Draft) => boolean}|null} [emptied]  the draft that this text comes from; one that
 *   another tab is writing stays
 * @returns {Promise<Entry>}
 */
export function add(disk, op, emptied = null) {
  return disk.write(
    ['outbox', 'drafts'],
    async (tx) => {
      /** @type {Omit<Entry, 'n'>} */
      const entry = { v: 1, ...op, state: 'waiting', result: null, attempts: 0, last_error: null };
      // Asked together: she waits for each turn that the disk takes.
      const [n, draft] = await Promise.all([
        tx.add('outbox', entry),
        emptied && tx.get('drafts', emptied.key),
      ]);
      if (emptied) {
        if (draft && emptied.mine(draft)) tx.delete('drafts', emptied.key);
      }
      return { ...entry, n };
    },
    STRICT,
  );
}

/** @param {Disk} disk @returns {Promise<Entry[]>}  in order of writing */
export const list = (disk) => disk.read(['outbox'], (tx) => tx.getAll('outbox'));

/** The server keeps for weeks what no message took (`app/inbox/leftovers.py`); within days it is asked again. */
const OFFER_AGAIN_MS = 5 * 86_400_000;

/**
 * The photos that waiting operations still miss on the server, or may miss by now, in order.
 * @param {Disk} disk
 * @param {Entry[]} entries
 * @param {() => number} now
 * @returns {Promise<Upload[]>}
 */
export async function uploads(disk, entries, now) {
  const wanted = entries.flatMap((entry) =>
    entry.state === 'waiting' ? blobsOf(entry).map((blob) => ({ ...entry, blob })) : [],
  );
  if (!wanted.length) return [];
  return disk.read(['photos'], async (tx) => {
    const photos = await Promise.all(wanted.map(({ blob }) => tx.get('photos', blob)));
    return wanted.filter(({ attempts }, i) => photos[i] && isMissing(photos[i], attempts, now()));
  });
}

/**
 * A clock that was put back counts as days gone by. What was sent once goes as it is: the server may have it already.
 * @param {OutboxPhoto} photo @param {number} attempts @param {number} now
 */
const isMissing = ({ uploaded_bytes, blob, offered_ms = 0 }, attempts, now) =>
  uploaded_bytes < blob.size || (!attempts && Math.abs(now - offered_ms) > OFFER_AGAIN_MS);

/** @param {{payload: Record<string, any>}} entry @returns {string[]} */
export function blobsOf({ payload }) {
  return Array.isArray(payload.attachments) ? payload.attachments : [];
}

/**
 * Mark what is about to be sent: from here on it is "possibly sent", even if the phone dies this instant.
 * @param {Disk} disk
 * @param {Entry[]} batch
 * @returns {Promise<Entry[]>}  without the ones that were discarded or answered in another tab meanwhile
 */
export async function claim(disk, batch) {
  if (!batch.length) return [];
  return disk.write(
    ['outbox'],
    async (tx) => {
      const found = await Promise.all(batch.map((entry) => tx.get('outbox', entry.n)));
      const still = found.filter((entry) => entry?.state === 'waiting');
      for (const entry of still) {
        if (entry.attempts > 0) continue;
        entry.attempts = 1;
        tx.put('outbox', entry);
      }
      return still;
    },
    STRICT,
  );
}

/**
 * Record the server's answers to exactly these operations, and let go of the ones that the replica now shows.
 * Called after the replica was committed: a crash in between only means that they are asked again under the same ids.
 * @param {Disk} disk
 * @param {Entry[]} sent
 * @param {Result[]} results
 * @param {number} cursor  what the committed replica covers
 * @returns {Promise<Entry[]>}  the ones let go
 */
export function settle(disk, sent, results, cursor) {
  return disk.write(
    ['outbox', 'photos'],
    async (tx) => {
      const answers = new Map(results.map((result) => [result.op_id, result]));
      const all = /** @type {Entry[]} */ (await tx.getAll('outbox'));
      const stored = new Map(all.map((entry) => [entry.n, entry]));
      for (const { n, op_id } of sent) {
        const result = answers.get(op_id);
        const state = result && OUTCOMES.get(result.outcome);
        const entry = state && stored.get(n);
        if (entry?.state !== 'waiting') continue;
        // Nobody needs to look at a reading mark that came to nothing.
        const moot = entry.kind === 'read' && state !== 'accepted';
        if (moot) {
          tx.delete('outbox', n);
          stored.delete(n);
          continue;
        }
        const judged = /** @type {Entry} */ ({ ...entry, state, result, last_error: null });
        stored.set(n, judged);
        if (!isShown(judged, cursor)) tx.put('outbox', judged);
      }
      return letGo(tx, [...stored.values()], cursor);
    },
    STRICT,
  );
}

/** Does the replica show what this did? @param {Entry} entry @param {number} cursor */
const isShown = (entry, cursor) =>
  entry.state === 'accepted' && (entry.result?.seq ?? 0) <= cursor;

/**
 * Mostly it is all of them: neighbours are deleted in one go.
 * @param {Tx} tx
 * @param {Entry[]} entries  all of them, in order
 * @param {number} cursor
 * @returns {Entry[]}
 */
function letGo(tx, entries, cursor) {
  const shown = new Set(entries.filter((entry) => isShown(entry, cursor)));
  let from = 0;
  for (const [i, entry] of entries.entries()) {
    if (!shown.has(entry)) continue;
    for (const blob of blobsOf(entry)) tx.delete('photos', blob);
    if (!shown.has(entries[i - 1])) from = entry.n;
    if (!shown.has(entries[i + 1])) tx.delete('outbox', from, entry.n);
  }
  return [...shown];
}

/** @param {Tx} tx @param {Entry} entry */
export function remove(tx, entry) {
  tx.delete('outbox', entry.n);
  for (const blob of blobsOf(entry)) tx.delete('photos', blob);
}

/**
 * The phone itself found that an operation, never sent, cannot go as it is.
 * @param {Disk} disk
 * @param {string} op_id
 * @param {string} reason
 */
export function refuse(disk, op_id, reason) {
  return disk.write(
    ['outbox'],
    async (tx) => {
      const entry = await find(tx, op_id);
      if (entry?.state !== 'waiting' || entry.attempts > 0) return;
      const result = /** @type {Result} */ ({
        op_id,
        outcome: 'rejected',
        duplicate: false,
        seq: 0,
        reason,
      });
      tx.put('outbox', { ...entry, state: 'rejected', result });
    },
    STRICT,
  );
}

/** @param {Disk} disk @param {string} op_id @param {string} error */
export function complain(disk, op_id, error) {
  return disk.write(['outbox'], async (tx) => {
    const entry = await find(tx, op_id);
    if (entry) tx.put('outbox', { ...entry, attempts: entry.attempts + 1, last_error: error });
  });
}

/** @param {Tx} tx @param {string} op_id @returns {Promise<Entry|undefined>} */
export async function find(tx, op_id) {
  return (await tx.getAll('outbox')).find((/** @type {Entry} */ entry) => entry.op_id === op_id);
}

/** @param {Disk} disk @param {string} id @param {OutboxPhoto} photo */
export function addPhoto(disk, id, photo) {
  return disk.write(['photos'], (tx) => tx.put('photos', photo, id), STRICT);
}

/** @param {Disk} disk @param {string} id @returns {Promise<OutboxPhoto|undefined>} */
export const photo = (disk, id) => disk.read(['photos'], (tx) => tx.get('photos', id));

/** Does this entry need a person? @param {Entry} entry */
export const needsPerson = (entry) => entry.state === 'held' || entry.state === 'rejected';
