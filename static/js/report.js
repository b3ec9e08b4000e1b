/** What the pages about this phone need: how much there is, and everything unsent as a file. Fetched when needed. */

import * as outbox from './outbox.js';

/** @import { Disk, Draft } from './types.js' */

/**
 * Everything unsent, photos included.
 * @param {Disk} disk
 * @param {Map<string, Draft>} drafts
 * @param {number} now
 * @returns {Promise<Blob>}  JSON
 */
export async function exportUnsent(disk, drafts, now) {
  const all = await outbox.list(disk);
  /** @type {Record<string, any>} */
  const photos = {};
  for (const id of all.flatMap(outbox.blobsOf)) {
    const found = await outbox.photo(disk, id);
    if (found)
      photos[id] = { name: found.name, type: found.type, base64: await base64(found.blob) };
  }
  // What another app shared waits as files, not yet among the photos.
  for (const [i, file] of (drafts.get('shared')?.files ?? []).entries())
    photos[`shared-${i}`] = { name: file.name, type: file.type, base64: await base64(file) };
  const whole = { v: 1, exported_ms: now, outbox: all, drafts: Object.fromEntries(drafts), photos };
  return new Blob([JSON.stringify(whole, null, 2)], { type: 'application/json' });
}

/**
 * @param {Disk} disk  the replica
 * @returns {Promise<{photos: number, messages: number, usage: number|null, quota: number|null, persisted: boolean}>}
 */
export async function measure(disk) {
  const storage = globalThis.navigator?.storage;
  const estimate = (await storage?.estimate?.()) ?? {};
  const counted = await disk.read(['photos', 'pages', 'rows'], async (tx) => {
    const pages = /** @type {string[]} */ (await tx.getAll('pages'));
    const rows = await tx.keys('rows', 'm:', 'm;');
    const inPages = pages.reduce((sum, page) => sum + (page.match(/"position":/g)?.length ?? 0), 0);
    return { photos: (await tx.keys('photos')).length, messages: inPages + rows.length };
  });
  return {
    usage: estimate.usage ?? null,
    quota: estimate.quota ?? null,
    persisted: (await storage?.persisted?.()) ?? false,
    ...counted,
  };
}

/** @param {Blob} blob @returns {Promise<string>} */
async function base64(blob) {
  let text = '';
  for (const byte of new Uint8Array(await blob.arrayBuffer())) text += String.fromCharCode(byte);
  return btoa(text);
}
