/** A tap on a notification: an action becomes an operation in the outbox, the rest opens the conversation. */

import { browserEnv } from '../connection.js';
import { openOutbox } from '../db.js';
import { readDevice } from '../device.js';
import { uuid7 } from '../ids.js';
import { followUp, readMark, SNOOZE_MINUTES } from '../notices.js';
import { add, list, needsPerson } from '../outbox.js';
import { isAppRoute } from './assets.js';
import { afterSync, show, tellPages } from './push.js';
import { syncOnce } from './sender.js';
import { wordsIn } from './words.js';

/** @import { Entry } from '../types.js' */
/** @import { Mark, What } from '../notices.js' */

const worker = /** @type {any} */ (self);
/** Browsers let a tap open a window for about a second. */
const ANSWER_MS = 500;

/** @param {any} event  NotificationEvent */
export async function tapped({ action, notification }) {
  notification.close();
  const mark = readMark(notification.data);
  const device = await readDevice().catch(() => null);
  const mine = mark?.c && mark.person && mark.person === device?.person_id;
  if (mine && (action === 'acknowledge' || action === 'snooze'))
    return act(action, mark, wordsIn(device?.language));
  return open(mark && isAppRoute(mark.path) ? mark.path : '/');
}

/**
 * Into the outbox first, as everything she does; then it is sent, now or when there is a network.
 * @param {'acknowledge'|'snooze'} kind
 * @param {Mark} mark
 * @param {import('../notices.js').Say} say
 */
async function act(kind, mark, say) {
  const person = /** @type {string} */ (mark.person);
  const env = browserEnv();
  /** @param {import('./words.js').Word} title @param {import('./words.js').Word} body @param {What} what */
  const tell = (title, body, what) => show(followUp(title, body, mark, what, env.now(), say));
  /** @type {Entry} */
  let entry;
  try {
    entry = await queue(kind, mark, person);
  } catch {
    // The phone is full: nothing was stored, and she must know.
    return tell('failed', 'failed_help', 'plain');
  }
  tellPages(person, { what: 'outbox' });
  await worker.registration.sync?.register('stoep-outbox').catch(() => {});
  const stopped = await syncOnce().then(
    () => '',
    (error) => String(error.message),
  );
  const now = await find(person, entry.op_id);
  if (now?.state === 'waiting')
    await tell(`queued_${kind}`, stopped === 'signed_out' ? 'signed_out' : 'queued', 'queued');
  else if (now && needsPerson(now)) await tell('failed', 'failed_help', 'plain');
  const alert = (await afterSync(person)).get(entry.conversation_id)?.alert;
  if (alert?.state === 'acknowledged' && alert.by !== person)
    await tell('first', 'first_help', 'quiet');
}

/** @param {'acknowledge'|'snooze'} kind @param {Mark} mark @param {string} person */
async function queue(kind, mark, person) {
  const disk = await openOutbox(indexedDB, person);
  const now = Date.now();
  try {
    return await add(disk, {
      op_id: uuid7(now),
      kind,
      conversation_id: /** @type {string} */ (mark.c),
      based_on: mark.position,
      payload: kind === 'snooze' ? { minutes: SNOOZE_MINUTES } : {},
      written_at_ms: now,
      not_before_ms: 0,
    });
  } finally {
    disk.close();
  }
}

/** @param {string} person @param {string} op_id */
async function find(person, op_id) {
  const disk = await openOutbox(indexedDB, person);
  try {
    return (await list(disk)).find((entry) => entry.op_id === op_id);
  } finally {
    disk.close();
  }
}

/**
 * In the window that she has: what she was typing there stays. A page too old to know this message is navigated.
 * @param {string} path
 */
async function open(path) {
  const windows = await worker.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const [best] = windows
    .filter((/** @type {any} */ one) => isAppRoute(new URL(one.url).pathname))
    .sort((/** @type {any} */ a, /** @type {any} */ b) => rank(b) - rank(a));
  if (best) {
    // Not allowed without a tap of hers; then the page at least stands where she will look.
    const page = (await best.focus().catch(() => null)) ?? best;
    if (await goes(page, path)) return;
    if (await page.navigate(path).catch(() => null)) return;
  }
  await worker.clients.openWindow(path);
}

/** @param {any} one */
const rank = (one) => Number(one.focused) * 2 + Number(one.visibilityState === 'visible');

/** @param {any} page @param {string} path @returns {Promise<boolean>} */
function goes(page, path) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    const cancel = browserEnv().timer(() => resolve(false), ANSWER_MS);
    port1.onmessage = () => {
      cancel();
      resolve(true);
    };
    page.postMessage({ what: 'open', path }, [port2]);
  });
}
