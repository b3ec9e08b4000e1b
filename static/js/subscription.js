/**
 * This browser's push subscription and what the server knows of it. Used by the page, after a tap and at each start, and
 * by the worker when the browser changes it.
 */

import { json } from './api.js';
import { browserEnv } from './connection.js';
import { readDevice, writeDevice } from './device.js';
import { NoAnswer } from './sync/wire.js';

/** @import { Env } from './types.js' */
/** @typedef {'new'|'proven'|'silent'|'gone'} Known  what the server knows of it */
/** @typedef {{key: string, fingerprint: string}} ServerKey */

/** A browser without a push service of its maker never answers; a person must hear that. */
const SUBSCRIBE_MS = 30_000;

/** Raised when the browser's push service does not answer. */
export class NoService extends Error {}

/**
 * Subscribe, where the browser allows it already, and tell the server. Raises NoService, NoAnswer, or what the browser
 * says (NotAllowedError).
 * @param {PushManager} manager
 * @param {Env} [env]
 * @returns {Promise<Known>}
 */
export async function subscribe(manager, env = browserEnv()) {
  const ours = /** @type {ServerKey} */ (await json(env, '/push/key'));
  let known = await tell(env, await subscribed(manager, env, ours), ours);
  if (known === 'gone') {
    // The push service dropped it; the browser does not know that yet.
    await (await manager.getSubscription())?.unsubscribe();
    known = await tell(env, await subscribed(manager, env, ours), ours);
  }
  await writeDevice({ push: { person: (await readDevice())?.person_id, lost: false } });
  return known;
}

/**
 * Keep in step what she asked for once: the browser's subscription, our key, and what the server knows. Does nothing on
 * a phone where she never did.
 * @param {PushManager} manager
 * @param {{lost?: boolean, always?: boolean}} [why]  `lost`: the browser said so; `always`: look even when nothing is known
 *   to be wrong
 * @param {Env} [env]
 * @returns {Promise<Known|null>}
 */
export async function renewSubscription(
  manager,
  { lost = false, always = false } = {},
  env = browserEnv(),
) {
  const device = await readDevice();
  if (!isWanted(device) || !(lost || always || device?.push?.lost)) return null;
  // Said first: whatever happens to this attempt, the next one knows.
  if (lost) await writeDevice({ push: { ...device?.push, lost: true } });
  return subscribe(manager, env);
}

/**
 * Did the person whose phone this is ask to be woken on it? Somebody else before her may have.
 * @param {Awaited<ReturnType<typeof readDevice>>} device
 */
export const isWanted = (device) =>
  Boolean(device?.push && device.push.person === device.person_id);

/**
 * Wake this phone no more.
 * @param {PushManager} manager
 * @param {Env} [env]
 */
export async function unsubscribe(manager, env = browserEnv()) {
  await writeDevice({ push: null });
  await (await manager.getSubscription())?.unsubscribe();
  await json(env, '/push/subscription', { method: 'DELETE' });
}

/**
 * @param {PushManager} manager
 * @param {Env} env
 * @param {ServerKey} ours
 * @returns {Promise<PushSubscription>}
 */
async function subscribed(manager, env, { key }) {
  const bytes = fromBase64Url(key);
  const known = await manager.getSubscription();
  const madeWith = known?.options.applicationServerKey;
  if (known && madeWith && same(new Uint8Array(madeWith), bytes)) return known;
  // Another key: the push service would refuse what we send.
  await known?.unsubscribe();
  const subscribing = manager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes });
  return Promise.race([
    subscribing,
    new Promise((_, reject) => {
      const cancel = env.timer(() => reject(new NoService()), SUBSCRIBE_MS);
      subscribing.then(cancel, cancel);
    }),
  ]);
}

/** @param {Env} env @param {PushSubscription} subscription @param {ServerKey} ours @returns {Promise<Known>} */
async function tell(env, subscription, { fingerprint }) {
  const { endpoint, keys } = subscription.toJSON();
  const body = { endpoint, keys, fingerprint, ...browserOf(navigator) };
  return (await json(env, '/push/subscription', { method: 'PUT', body })).state;
}

/** What the server itself refused, as a code; null when there was no answer. @param {unknown} error */
export const reasonOf = (error) =>
  error instanceof NoAnswer ? (error.failure.problem?.reason ?? null) : null;

/**
 * @param {{userAgent: string, maxTouchPoints?: number}} navigator
 * @returns {{browser: 'chrome'|'edge'|'firefox'|'safari'|'samsung'|'other', platform: 'android'|'ios'|'desktop'}}
 */
export function browserOf({ userAgent, maxTouchPoints = 0 }) {
  // An iPad calls itself a Macintosh; no Macintosh has a touch screen.
  const ios =
    /iPhone|iPad|iPod/.test(userAgent) || (/Macintosh/.test(userAgent) && maxTouchPoints > 1);
  const platform = ios ? 'ios' : /Android/.test(userAgent) ? 'android' : 'desktop';
  const found = /** @type {const} */ ([
    ['edge', /Edg(?:A|iOS)?\//],
    ['samsung', /SamsungBrowser\//],
    ['firefox', /Firefox\/|FxiOS\//],
    ['chrome', /Chrome\/|CriOS\//],
    ['safari', /Safari\//],
  ]).find(([, mark]) => mark.test(userAgent));
  return { browser: found?.[0] ?? 'other', platform };
}

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
function fromBase64Url(text) {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(plain, (char) => char.charCodeAt(0));
}

/** @param {Uint8Array} a @param {Uint8Array} b */
const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
