/**
 * Can this phone be woken? What the browser allows, what the server knows, and what can be done about it.
 * Everything that asks a permission happens on a tap; what was asked for once is kept in step at each start.
 * @module
 */
import { json } from './api.js';
import { browserEnv } from './connection.js';
import { readDevice } from './device.js';
import { isPast, readMark, urgentUnread } from './notices.js';
import {
  browserOf,
  isWanted,
  NoService,
  renewSubscription,
  subscribe,
  unsubscribe,
} from './subscription.js';
import { showBadge } from './traces.js';

/** @typedef {import('./views/types.js').Context} Context */
/** @typedef {import('./types.js').Env} Env */
/** @typedef {'none'|'new'|'proven'|'silent'|'gone'} Known */
/** @typedef {{device_id: string, current: boolean, name: string, state: Known, proven_ms: number|null, tested_ms: number|null, error: string|null}} DeviceHealth */
/** @typedef {'install'|'unsupported'|'denied'|'off'|'unknown'|'gone'|'silent'|'unproven'|'proven'} Stand */
/** @typedef {'none'|'busy'|'testing'|'arrived'|'not_arrived'|'no_service'|'failed'} Doing */

/** The daily test is 22 to 24 hours after the last proof; what is older than this was not proven again. */
const PROOF_MS = 26 * 3_600_000;
/** A push service may take its time; after this a person wants to know. */
const TEST_MS = 60_000;
const LOOK_AGAIN_MS = 5_000;
/** Chromium forgets a notification that it is asked about while it is being drawn: not at once after the worker's news. */
const TIDY_AFTER_MS = 2_000;
/** The first screen is long there by then. */
const START_MS = 3_000;

/**
 * One word for where this phone stands. Pure.
 * @param {object} facts
 * @param {boolean} facts.supported
 * @param {boolean} facts.installed  on the home screen
 * @param {'android'|'ios'|'desktop'} facts.platform
 * @param {NotificationPermission} facts.permission
 * @param {boolean} facts.subscribed  in the browser
 * @param {boolean} facts.wanted  she asked for it on this phone
 * @param {Pick<DeviceHealth, 'state'|'proven_ms'>|null|undefined} facts.health  undefined: the server did not answer
 * @param {number} facts.now
 * @returns {Stand}
 */
export function standOf(facts) {
  const { supported, installed, platform, permission, subscribed, wanted, health, now } = facts;
  if (!supported) return platform === 'ios' && !installed ? 'install' : 'unsupported';
  if (permission === 'denied') return 'denied';
  if (permission !== 'granted' || !wanted) return 'off';
  if (!subscribed) return 'gone';
  if (health === undefined) return 'unknown';
  if (health === null || health.state === 'none' || health.state === 'gone') return 'gone';
  if (health.state === 'silent') return 'silent';
  return health.proven_ms && now - health.proven_ms < PROOF_MS ? 'proven' : 'unproven';
}

/**
 * @param {() => void} onChange
 * @param {Env} [env]
 */
export function createPush(onChange, env = browserEnv()) {
  const { platform } = browserOf(navigator);
  const supported =
    'serviceWorker' in navigator && 'PushManager' in globalThis && 'Notification' in globalThis;
  /** @type {PushManager|null} */
  let manager = null;
  let subscribed = false;
  let wanted = false;
  /** @type {DeviceHealth[]|undefined} */
  let devices;
  /** @type {Doing} */
  let doing = 'none';
  /** The test that is on its way. */
  let awaited = '';
  let stopWaiting = () => {};
  let over = false;

  const changed = () => void (over || onChange());
  /** @param {Doing} next */
  const does = (next) => {
    doing = next;
    changed();
  };

  /** Ask browser and server how things are; without a network the server's part is unknown. */
  async function look() {
    if (supported) {
      manager = (await navigator.serviceWorker.ready).pushManager;
      subscribed = (await manager.getSubscription()) !== null;
    }
    wanted = isWanted(await readDevice());
    devices = await json(env, '/push/health').then(
      (answer) => answer.devices,
      () => undefined,
    );
    changed();
  }

  /** @param {() => Promise<unknown>} work */
  async function doIt(work) {
    if (doing === 'busy' || !manager) return;
    does('busy');
    try {
      await work();
    } catch (error) {
      doing = error instanceof NoService ? 'no_service' : 'failed';
    }
    await look();
  }

  async function test() {
    const before = mine()?.proven_ms ?? 0;
    const until_ms = env.now() + TEST_MS;
    awaited = (await json(env, '/push/tests', { method: 'POST' })).push;
    does('testing');
    // The worker's word may go to a page that does not listen.
    const again = async () => {
      await look();
      if (doing !== 'testing') return;
      if ((mine()?.proven_ms ?? 0) > before) arrived();
      else if (push.stand() === 'gone') does('none');
      else if (env.now() >= until_ms) does('not_arrived');
      else wait();
    };
    const wait = () => {
      stopWaiting();
      stopWaiting = env.timer(again, LOOK_AGAIN_MS);
    };
    wait();
  }

  function arrived() {
    stopWaiting();
    awaited = '';
    doing = 'arrived';
    void look();
  }

  /** @param {MessageEvent} event */
  const heard = ({ data }) => {
    if (data?.what === 'push shown' && data.push === awaited) arrived();
  };

  const mine = () => devices?.find(({ current }) => current);

  const push = {
    /** @returns {Stand} */
    stand: () =>
      standOf({
        supported,
        installed: matchMedia('(display-mode: standalone)').matches,
        platform,
        permission: supported ? Notification.permission : 'denied',
        subscribed,
        wanted,
        health: devices && (mine() ?? null),
        now: env.now(),
      }),
    doing: () => doing,
    mine,
    /** Her other devices that were ever subscribed. */
    others: () => (devices ?? []).filter(({ current, state }) => !current && state !== 'none'),
    look,

    /** On a tap: browsers ask for permission on nothing else. */
    async turnOn() {
      const answer = await Notification.requestPermission();
      if (answer !== 'granted') return changed();
      return doIt(async () => {
        await subscribe(/** @type {PushManager} */ (manager), env);
        await test();
      });
    },
    test: () => doIt(test),
    repair: () =>
      doIt(async () => {
        const pushes = /** @type {PushManager} */ (manager);
        await (await pushes.getSubscription())?.unsubscribe();
        await subscribe(pushes, env);
        await test();
      }),
    turnOff: () =>
      doIt(async () => {
        await unsubscribe(/** @type {PushManager} */ (manager), env);
        doing = 'none';
      }),
    close() {
      over = true;
      stopWaiting();
      navigator.serviceWorker?.removeEventListener('message', heard);
    },
  };
  if (supported) navigator.serviceWorker.addEventListener('message', heard);
  return push;
}

/**
 * While the app is open: keep the subscription, take away what is over, and count on the icon.
 * @param {Context} context
 * @param {Env} [env]
 */
export async function keepPush({ store }, env = browserEnv()) {
  if (!('serviceWorker' in navigator)) return;
  const registration = await navigator.serviceWorker.ready;
  let counted = -1;
  let waiting = false;
  const tidy = async () => {
    const open = store.list({ filter: 'all' });
    const count = urgentUnread(open);
    if (count !== counted) {
      counted = count;
      await showBadge(count);
    }
    const shown = (await registration.getNotifications?.()) ?? [];
    if (!shown.length) return;
    const closed = store.list({ filter: 'closed' });
    const heads = new Map([...closed, ...open].map((head) => [head.id, head]));
    const { progress, lastInStepMs } = store.status();
    const whole_ms = progress ? 0 : (lastInStepMs ?? 0);
    const here = document.visibilityState === 'visible' ? location.pathname : '';
    for (const notification of shown) {
      const mark = readMark(notification.data);
      if (!mark) continue;
      // What she has before her eyes needs no notification.
      const seen =
        ['alarm', 'news'].includes(mark.what) && mark.c !== null && here === `/c/${mark.c}`;
      const head = heads.get(mark.c ?? '') ?? null;
      if (seen || isPast(mark, head, env.now(), whole_ms)) notification.close();
    }
  };
  const soon = () => {
    // Not begun anew by each change: without a network there is always a next one.
    if (waiting) return;
    waiting = true;
    env.timer(() => {
      waiting = false;
      void tidy().catch(() => {});
    }, TIDY_AFTER_MS);
  };
  store.subscribe(soon);
  document.addEventListener('visibilitychange', soon);
  soon();
  env.timer(() => {
    const { pushManager } = registration;
    if (pushManager && globalThis.Notification?.permission === 'granted')
      void renewSubscription(pushManager, { always: true }, env).catch(() => {});
  }, START_MS);
}
