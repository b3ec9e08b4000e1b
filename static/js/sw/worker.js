/** What the service worker does; `service-worker.js` only listens. */

import { BUILD, readDevice } from '../device.js';
import { askAhead, takeAhead } from './ahead.js';
import {
  asset,
  dropOldBuilds,
  isAppRoute,
  precache,
  refreshShell,
  shell,
  shortCut,
  THEME,
  theme,
} from './assets.js';
import { renewSubscription } from '../subscription.js';
import { afterSync } from './push.js';
import { syncOnce } from './sender.js';
import { SHARE, takeShare } from './share.js';
import { snapshot } from './snapshots.js';

/** @typedef {{waitUntil: (work: Promise<any>) => void}} Lasting */

const files = typeof __PRECACHE__ === 'undefined' ? [] : __PRECACHE__;
const worker = /** @type {any} */ (self);
const AFTER_PAGE_MS = 5_000;

/** The new build waits until a page asks for it: an open page keeps the files it was made of. */
export async function install(/** @type {any} */ event) {
  shortCut(event);
  await precache(BUILD, files);
}

export async function activate() {
  await worker.clients.claim();
  await dropOldBuilds(BUILD, (await pages()).length > 0);
  // Not awaited: until a worker is active every navigation waits for it, and a page may hold the sender's lock.
  void syncOnce().catch(() => {});
}

/** @param {{what?: string}} message */
export async function message({ what }) {
  if (what === 'sync now') await syncOnce();
  else if (what === 'take over') await worker.skipWaiting();
}

/** The network is back. Rejects when something still waits, so that the browser tries again. @param {{tag: string}} event */
export async function sync({ tag }) {
  if (tag !== 'stoep-outbox') return;
  await renewSubscription(worker.registration.pushManager).catch(() => {});
  await syncOnce();
  const device = await readDevice();
  if (device?.person_id) await afterSync(device.person_id);
}

/** The browser dropped or changed the subscription: without a new one nobody can wake this phone. */
export async function pushSubscriptionChange() {
  try {
    await renewSubscription(worker.registration.pushManager, { lost: true });
  } catch {
    await worker.registration.sync?.register('stoep-outbox').catch(() => {});
  }
}

/**
 * Answer what this worker may answer; null leaves it to the network, as if there were no worker.
 * @param {Lasting & {request: Request, clientId?: string, resultingClientId?: string}} event
 * @returns {Promise<Response>|null}
 */
export function answer(event) {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method === 'POST' && url.pathname === SHARE && url.origin === worker.location.origin)
    return takeShare(request);
  if (request.method !== 'GET' || url.origin !== worker.location.origin) return null;
  if (url.pathname.startsWith('/static/')) return asset(BUILD, request);
  if (url.pathname === THEME) return theme(BUILD, request, (work) => event.waitUntil(work));
  if (url.pathname.startsWith('/api/')) return takeAhead(event, url);
  if (request.mode !== 'navigate' || !isAppRoute(url.pathname)) return null;
  if (url.searchParams.has('signed-in')) askAhead(event);
  event.waitUntil(afterNavigation());
  return navigation(request, url);
}

/** @param {Request} request @param {URL} url @returns {Promise<Response>} */
async function navigation(request, url) {
  // Somebody who just signed in may be another person than this phone still thinks.
  const last = async () => (url.searchParams.has('signed-in') ? null : snapshot(url.pathname, BUILD));
  // What is kept may go while it is read: a phone that is revoked is emptied at that moment.
  const kept = await last()
    .then((page) => page ?? shell(BUILD))
    .catch(() => null);
  return kept ?? fetch(request);
}

/** The page that was opened sends by itself; here only what it does not wait for, when it has had its own requests. */
async function afterNavigation() {
  await dropOldBuilds(BUILD, (await pages()).length > 0);
  await new Promise((resolve) => setTimeout(resolve, AFTER_PAGE_MS));
  await refreshShell(BUILD).catch(() => {});
}

/** @returns {Promise<any[]>} */
const pages = () => worker.clients.matchAll({ type: 'window', includeUncontrolled: true });
