import { readDevice, SNAPSHOTS } from '../device.js';

/**
 * The last screen of a path, when this build made it for the person whose phone this now is. A page without a content
 * security policy would be one without the protection that every other page has.
 * @param {string} pathname
 * @param {string} build
 * @returns {Promise<Response|undefined>}
 */
export async function snapshot(pathname, build) {
  // Side by side: a person waits for both.
  const reading = readDevice().catch(() => null);
  const kept = await caches.match(pathname, { cacheName: SNAPSHOTS });
  if (!kept?.headers.has('content-security-policy')) return undefined;
  if (kept.headers.get('x-stoep-build') !== build) return undefined;
  const device = await reading;
  return device?.person_id === kept.headers.get('x-stoep-person') ? kept : undefined;
}
