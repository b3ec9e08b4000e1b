/** The app itself, kept under the hashes of its build. Old files stay until no page uses their build any more. */

import { ASSETS, SHELL } from '../device.js';

export const THEME = '/theme.css';
const HASHED = /-[A-Z0-9]{8}\.\w+$/;
/** App routes: the shell, or the last screen, answers them without a network. Everything else is the server's. */
const APP_ROUTE =
  /^\/(?:|c\/[^/]+\/?|new|outbox|phone|oncall|rules|listening|channels(?:\/signed-in)?|meetings(?:\/[^/]+)?)$/;

/** @param {string} pathname */
export const isAppRoute = (pathname) => APP_ROUTE.test(pathname);

/**
 * Fetch the whole build before it may take over: half an app is none. Files that an older build shares are copied.
 * @param {string} build
 * @param {string[]} files
 */
export async function precache(build, files) {
  const cache = await caches.open(ASSETS + build);
  await Promise.all(
    files.map(async (path) => {
      const known = await caches.match(path);
      if (known) return cache.put(path, known);
      // A name with a hash always means the same bytes: what the page just fetched is not fetched again.
      const response = await fetch(path, HASHED.test(path) ? {} : { cache: 'no-cache' });
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      return cache.put(path, response);
    }),
  );
  await theme(build, THEME).catch(() => {});
  await refreshShell(build).catch(() => {}); // signed out perhaps; the next navigation brings it
}

/**
 * The newest shell, when the server really sent it: a portal's page or the sign-in page is not the shell.
 * @param {string} build
 */
export async function refreshShell(build) {
  const response = await fetch(SHELL, { cache: 'no-store', redirect: 'manual' });
  await keepShell(build, response);
}

/** @param {string} build @param {Response} response */
async function keepShell(build, response) {
  if (!response.ok || response.redirected) return;
  // It names the build that it was made for; nobody else's page does, nor does a newer server's.
  if (!(await response.clone().text()).includes(`name="build" content="${build}"`)) return;
  const cache = await caches.open(ASSETS + build);
  await cache.put(SHELL, response);
}

/** @param {string} build @returns {Promise<Response|undefined>} */
export async function shell(build) {
  const cache = await caches.open(ASSETS + build);
  return cache.match(SHELL);
}

/**
 * Where the browser can, it takes these files from what is kept, or from the network, without asking this worker.
 * Source: WICG, Service Worker Static Routing API (Chromium 123), read 2026-11-27.
 * @param {any} event  of the installation
 */
export function shortCut(event) {
  const route = { condition: { urlPattern: { pathname: '/static/*' } }, source: 'cache' };
  event.addRoutes?.(route).catch(() => {}); // one that knows other routes: then it asks
}

/**
 * A file of this build or of an older one whose pages are still open.
 * @param {string} build
 * @param {Request} request
 * @returns {Promise<Response>}
 */
export async function asset(build, request) {
  // Named outright it is one look-up; without regard to its query the browser goes through every file of every cache.
  const cache = await caches.open(ASSETS + build);
  const kept = (await cache.match(request)) ?? (await caches.match(request, { ignoreSearch: true }));
  return kept ?? fetch(request);
}

/**
 * The municipality's own stylesheet: as it was last, at once, and as it is now the next time. It has no hash.
 * @param {string} build
 * @param {Request|string} request
 * @param {(work: Promise<any>) => void} [meanwhile]
 * @returns {Promise<Response>}
 */
export async function theme(build, request, meanwhile) {
  const cache = await caches.open(ASSETS + build);
  const fresh = fetch(request, { cache: 'no-cache' }).then(async (response) => {
    // Only what is a stylesheet is one: not the page of a wifi network.
    const css = response.headers.get('content-type')?.startsWith('text/css');
    if (response.ok && css) await cache.put(THEME, response.clone());
    else if (response.status === 404) await cache.delete(THEME);
    return response;
  });
  const kept = await cache.match(THEME);
  if (!kept) return fresh;
  meanwhile?.(fresh.catch(() => {}));
  return kept;
}

/**
 * Drop the builds that no open page uses.
 * @param {string} build
 * @param {boolean} pagesOpen  pages of an older build may be among them
 */
export async function dropOldBuilds(build, pagesOpen) {
  if (pagesOpen) return;
  for (const name of await caches.keys()) {
    if (name.startsWith(ASSETS) && name !== ASSETS + build) await caches.delete(name);
  }
}
