/**
 * What a phone shows of a person outside the app: notifications, the number on the icon; and the subscription that
 * brings more of them. Loaded late in the page, bundled in the worker.
 */

/**
 * Take it all away. Nothing here waits for a network, and nothing that fails keeps the rest from going.
 * @param {boolean} [leaving]  she leaves this phone: no push may come for her any more
 */
export async function clearTraces(leaving) {
  const own = /** @type {any} */ (globalThis).registration;
  /** @type {ServiceWorkerRegistration|undefined} */
  const registration = own ?? (await globalThis.navigator?.serviceWorker?.getRegistration());
  await Promise.allSettled([
    showBadge(0),
    closeAll(registration),
    leaving && endSubscription(registration),
  ]);
  if (leaving) forgetMeetings();
}

/** What a meeting kept of this device outside the databases; the worker has no such storage. */
function forgetMeetings() {
  const kept = globalThis.localStorage;
  for (const key of kept ? Object.keys(kept) : [])
    if (/^(kiosk|meeting-)/.test(key)) kept.removeItem(key);
}

/** @param {number} count */
export async function showBadge(count) {
  const { navigator } = globalThis;
  if (!navigator?.setAppBadge) return;
  // Refused where the app has no icon.
  await (count ? navigator.setAppBadge(count) : navigator.clearAppBadge()).catch(() => {});
}

/** @param {ServiceWorkerRegistration} [registration] */
async function closeAll(registration) {
  for (const shown of (await registration?.getNotifications?.()) ?? []) shown.close();
}

/** @param {ServiceWorkerRegistration} [registration] */
async function endSubscription(registration) {
  const subscription = await registration?.pushManager?.getSubscription();
  // Not waited for: some browsers first ask their push service, which may be out of reach.
  subscription?.unsubscribe().catch(() => {});
}
