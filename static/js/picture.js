/** Keeping the last screen of a path, with which the worker answers a cold start. Fetched when the screen is calm. */

import { ASSETS, BUILD, SHELL, SNAPSHOTS } from './device.js';

/** What the server says of the shell's bytes, which are not the snapshot's. */
const OF_ITS_BYTES = ['content-length', 'content-encoding', 'etag', 'vary', 'date'];

/**
 * Keep what the screen shows of a path, for one person and one build; with what the server tells a browser that the
 * shell may do (its content security policy above all).
 * @param {string} personId
 * @param {string} path
 * @param {string} html
 * @returns {Promise<boolean>}  false: there is no shell yet, and so no worker to answer with this
 */
export async function saveSnapshot(personId, path, html) {
  const shell = await globalThis.caches?.match(SHELL, { cacheName: ASSETS + BUILD });
  if (!shell) return false;
  const headers = new Headers(shell.headers);
  for (const name of OF_ITS_BYTES) headers.delete(name);
  headers.set('content-type', 'text/html; charset=utf-8');
  headers.set('cache-control', 'no-store');
  headers.set('x-stoep-person', personId);
  headers.set('x-stoep-build', BUILD);
  const cache = await caches.open(SNAPSHOTS);
  await cache.put(path, new Response(html, { headers }));
  return true;
}
