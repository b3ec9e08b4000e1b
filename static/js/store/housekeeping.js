/** Done when there is nothing else to do; fetched then. */

import { compact, narrowRota, purge } from '../sync/upkeep.js';
import { isPast } from '../sync/replica.js';

/** @import { Disk, Env, Head } from '../types.js' */
/** @import { Change } from '../sync/replica.js' */
/** @import { Memory } from './memory.js' */
/** @import { Remote } from './remote.js' */
/** @import { Waiting } from './waiting.js' */

/** Fold rows into pages when the overlay has grown this large. */
const COMPACT_FROM_ROWS = 2_000;
const PREFETCH_CONVERSATIONS = 60;
/** For which teams the rota was narrowed since the app was opened. */
let narrowed = '';
/** Photos that were asked for since the app was opened. */
const tried = new Set();

/**
 * @typedef {object} Parts
 * @property {Env} env
 * @property {Disk} replicaDisk
 * @property {Memory} memory
 * @property {Waiting} waiting
 * @property {Remote} remote
 * @property {() => Head[]} everything  newest first
 * @property {(change: Change) => void} tellChange
 * @property {() => boolean} isOnline  false too when the store is closed
 */

/** @param {Parts} parts */
export async function keepHouse(parts) {
  const { env, replicaDisk, memory, waiting } = parts;
  if (memory.saved.rows > COMPACT_FROM_ROWS) await compact(replicaDisk);
  const rota = String(memory.saved.scope?.rota);
  if (rota !== narrowed) {
    const change = await narrowRota(replicaDisk);
    narrowed = rota;
    if (change) await take(parts, change);
  }
  const now = env.now();
  const past = [...memory.heads().values()].filter(
    (head) => isPast(head, memory.saved.scope?.window_days, now) && !waiting.of(head.id).length,
  );
  if (past.length) {
    const ids = past.map((head) => head.id);
    await take(parts, await purge(replicaDisk, ids, now));
  }
  await keepPhotos(parts);
}

/** @param {Parts} parts @param {Change} change */
async function take({ memory, tellChange }, change) {
  await memory.inTurn(() => memory.takeIn(change));
  tellChange(change);
}

/** The newest open conversations keep their photos (small ones), so that they open without a network. @param {Parts} parts */
async function keepPhotos({ everything, memory, remote, isOnline }) {
  if (!globalThis.createImageBitmap) return;
  const newest = everything().filter((head) => head.status !== 'closed');
  for (const head of newest.slice(0, PREFETCH_CONVERSATIONS)) {
    for (const message of await memory.messagesOf(head.id)) {
      for (const { id, type } of message.attachments ?? []) {
        if (!isOnline()) return;
        if (!type.startsWith('image/') || tried.has(id)) continue;
        tried.add(id);
        await remote.fetchPhoto(id, true).catch(() => {});
      }
    }
  }
}
