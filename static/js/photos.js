/** Photos of messages: kept on the phone, or the server's. Fetched when the first one is shown. */

import * as api from './api.js';
import * as outbox from './outbox.js';

/** @import { Disk, Env } from './types.js' */

/** What photos may take on the phone; the oldest go first. */
const KEPT_BYTES = 40 * 1024 * 1024;

/**
 * Keep a photo for when there is no network, making room by dropping the ones kept longest.
 * @param {Disk} disk
 * @param {string} key
 * @param {Blob} blob
 * @param {number} now
 */
export function keep(disk, key, blob, now) {
  return disk.write(['photos'], async (tx) => {
    const [keys, all] = await Promise.all([tx.keys('photos'), tx.getAll('photos')]);
    const kept = keys
      .map((old, i) => ({ key: old, at: all[i].kept_ms, bytes: all[i].blob.size }))
      .sort((a, b) => a.at - b.at);
    let total = kept.reduce((sum, each) => sum + each.bytes, blob.size);
    for (const each of kept) {
      if (total <= KEPT_BYTES) break;
      tx.delete('photos', each.key);
      total -= each.bytes;
    }
    tx.put('photos', { blob, kept_ms: now }, key);
  });
}

/** @param {Disk} disk @param {string} key @returns {Promise<Blob|null>} */
export async function kept(disk, key) {
  return (await disk.read(['photos'], (tx) => tx.get('photos', key)))?.blob ?? null;
}

/** @param {Disk} disk @returns {Promise<{count: number, bytes: number}>} */
export async function keptSize(disk) {
  const all = await disk.read(['photos'], (tx) => tx.getAll('photos'));
  return { count: all.length, bytes: all.reduce((sum, each) => sum + each.blob.size, 0) };
}

/** @param {Disk} disk */
export const dropKept = (disk) => disk.write(['photos'], (tx) => tx.clear('photos'));

/**
 * From this phone when it is there, else from the server, and kept.
 * @param {{env: Env, replicaDisk: Disk, outboxDisk: Disk}} where
 * @param {string} id
 * @param {boolean} thumb
 * @returns {Promise<Blob>}  raises NoAnswer
 */
export async function find({ env, replicaDisk, outboxDisk }, id, thumb) {
  const key = thumb ? `${id}:thumb` : id;
  const own = (await kept(replicaDisk, key)) ?? (await outbox.photo(outboxDisk, id))?.blob;
  if (own) return own;
  const found = await api.blob(
    env,
    `/attachments/${encodeURIComponent(id)}${thumb ? '?size=thumb' : ''}`,
  );
  await keep(replicaDisk, key, found, env.now()).catch(() => {});
  return found;
}
