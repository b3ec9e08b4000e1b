/** What this phone shows of itself while no page may be open: notifications that are over go, the badge counts. */

import { openOutbox, openReplica } from '../db.js';
import { isPast, readMark, urgentUnread } from '../notices.js';
import { createMemory } from '../store/memory.js';
import { createShowing } from '../store/showing.js';
import { createWaiting } from '../store/waiting.js';

const worker = /** @type {any} */ (self);

/** Nobody listens here: everything is read once. @type {any} */
const NOBODY = { tell() {}, isClosed: () => false, unlessClosed() {} };

/**
 * @param {string} personId
 * @param {number} now
 * @returns {Promise<Map<string, import('../types.js').Head>>}  all conversations
 */
export async function tidy(personId, now) {
  const { heads, whole_ms } = await everything(personId);
  const byId = new Map(heads.map((head) => [head.id, head]));
  for (const notification of await worker.registration.getNotifications()) {
    const mark = readMark(notification.data);
    if (mark && isPast(mark, byId.get(mark.c ?? '') ?? null, now, whole_ms)) notification.close();
  }
  await badge(urgentUnread(heads));
  return byId;
}

/**
 * How new the state is that this phone has of a conversation: what it says is no news about a push that comes after it.
 * @param {string} personId
 * @param {string|null} id
 */
export async function knownS(personId, id) {
  if (!id) return 0;
  const { heads } = await everything(personId);
  return heads.find((head) => head.id === id)?.s ?? 0;
}

/** @param {number} count */
export async function badge(count) {
  if (!worker.navigator.setAppBadge) return;
  // Refused in a browser tab of some browsers: then there is no icon to count on.
  await (count ? worker.navigator.setAppBadge(count) : worker.navigator.clearAppBadge()).catch(
    () => {},
  );
}

/** All conversations as the app would list them, and when they were all there. @param {string} personId */
async function everything(personId) {
  const [replicaDisk, outboxDisk] = await Promise.all([
    openReplica(indexedDB, personId),
    openOutbox(indexedDB, personId),
  ]);
  try {
    const memory = createMemory(replicaDisk, NOBODY);
    const waiting = createWaiting(outboxDisk, NOBODY);
    await Promise.all([memory.readEverything(), waiting.read()]);
    const remote = /** @type {any} */ ({ visited: () => undefined });
    const heads = createShowing({ personId, memory, waiting, remote }).everything();
    const { cursor, walks, in_step_ms } = memory.saved;
    return { heads, whole_ms: cursor !== null && !walks.length ? in_step_ms : 0 };
  } finally {
    replicaDisk.close();
    outboxDisk.close();
  }
}
