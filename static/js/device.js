import { DEVICE_NAME, dropDatabase, openDevice, outboxName, replicaName } from './db.js';
import { writeCopy } from './known.js';

/** The last screens, as HTML; the worker answers a cold start with one. */
export const SNAPSHOTS = 'stoep-snapshots';
/** The build's own files, and the shell as the server made it; one cache for each build. */
export const ASSETS = 'stoep-assets-';
export const SHELL = '/';
export const BUILD = typeof __BUILD__ === 'undefined' ? 'development' : __BUILD__;

/**
 * Delete everything of a person on this phone: databases, snapshots, caches, the device record.
 * @param {IDBFactory} factory
 * @param {string} personId
 */
export async function leaveNothing(factory, personId) {
  writeCopy(null);
  await Promise.all([
    dropDatabase(factory, replicaName(personId)),
    dropDatabase(factory, outboxName(personId)),
    dropDatabase(factory, DEVICE_NAME),
    // Before the caches go, from which it is loaded.
    hush(true),
  ]);
  const names = (await globalThis.caches?.keys()) ?? [];
  await Promise.all(names.map((name) => caches.delete(name)));
}

/** @param {boolean} [leaving] */
const hush = async (leaving) => {
  try {
    await (await import('./traces.js')).clearTraces(leaving);
  } catch {
    // A file that did not come: what is stored goes all the same.
  }
};

/**
 * What this phone knows about itself before anyone's store is open; null for a new phone.
 * @param {IDBFactory} [factory]
 * @returns {Promise<{person_id?: string, device_id?: string, language?: string, theme?: string,
 *   push?: {person?: string, lost: boolean}|null}|null>}  `push`: who asked to be woken on this phone
 */
export async function readDevice(factory = globalThis.indexedDB) {
  const disk = await openDevice(factory);
  try {
    return (await disk.read(['device'], (tx) => tx.get('device', 'device'))) ?? null;
  } finally {
    disk.close();
  }
}

/**
 * Another person on this phone finds nothing to read of the one before; what that one had not sent stays for her return.
 * @param {Record<string, any>} changes
 * @param {IDBFactory} [factory]
 */
export async function writeDevice(changes, factory = globalThis.indexedDB) {
  const disk = await openDevice(factory);
  // A page that ends between the two may leave no copy, but never one that names somebody else.
  if (changes.person_id !== undefined) writeCopy(null);
  try {
    const [before, after] = await disk.write(['device'], async (tx) => {
      const old = (await tx.get('device', 'device')) ?? {};
      const record = { ...old, ...changes };
      tx.put('device', record, 'device');
      return [old.person_id, record];
    });
    writeCopy(after);
    if (before !== undefined && changes.person_id !== undefined && before !== changes.person_id) {
      await globalThis.caches?.delete(SNAPSHOTS);
      await dropDatabase(factory, replicaName(before));
      await hush();
    }
  } finally {
    disk.close();
  }
}
