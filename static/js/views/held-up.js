/**
 * Why something that waits does not leave, when that is not for the network. Pure.
 * @module
 */

/** @typedef {import('./types.js').OutboxEntry} OutboxEntry */

/**
 * The server answered with a failure to an operation by itself: it is tried again, ever more slowly. What was done
 * after it in the same conversation keeps its turn; a reading mark goes past everything.
 * @param {OutboxEntry[]} entries  all of them, in order of writing
 * @param {OutboxEntry} entry
 * @returns {'held_up_itself' | 'held_up_behind' | null}
 */
export function heldUp(entries, entry) {
  if (entry.state !== 'waiting') return null;
  if (entry.last_error) return 'held_up_itself';
  if (entry.kind === 'read') return null;
  const before = entries.some(
    (one) =>
      one.n < entry.n &&
      one.state === 'waiting' &&
      one.kind !== 'read' &&
      one.conversation_id === entry.conversation_id &&
      one.last_error,
  );
  return before ? 'held_up_behind' : null;
}
