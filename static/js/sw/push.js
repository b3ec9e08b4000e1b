/** A push came in: the conversation is fetched, something is shown, and the server is told that it was. */

import { conversation } from '../api.js';
import { browserEnv } from '../connection.js';
import { openOutbox, openReplica } from '../db.js';
import { readDevice } from '../device.js';
import { compose, QUIET_MS, readMark, readPush } from '../notices.js';
import { list } from '../outbox.js';
import { overlayHead } from '../overlay.js';
import { storeConversation } from '../sync/replica.js';
import { isAppRoute } from './assets.js';
import { badge, knownS, tidy } from './look.js';
import { report, reportKept } from './reports.js';
import { syncOnce } from './sender.js';
import { wordsIn } from './words.js';

/** @import { Head } from '../types.js' */
/** @import { Push, Shown } from '../notices.js' */

const worker = /** @type {any} */ (self);
/** A person is waiting to be woken; a conversation that takes longer comes with the next sync. */
const FETCH_MS = 4_000;

/** @param {any} event  PushEvent */
export async function push(event) {
  const env = browserEnv();
  const came = readPush(payloadOf(event), isAppRoute);
  const device = await readDevice().catch(() => null);
  const person = device?.person_id ?? null;
  /** @type {Head|null} */
  let head = null;
  if (['urgent', 'news'].includes(came.kind) && came.conversation && person) {
    head = await Promise.race([
      bring(person, came.conversation).catch(() => null),
      new Promise((resolve) => env.timer(() => resolve(null), FETCH_MS)),
    ]);
  }
  const say = wordsIn(device?.language);
  const s = head || !person ? 0 : await knownS(person, came.conversation).catch(() => 0);
  const known = { head, s, fresh: head !== null, person, now: env.now() };
  await show(compose(came, known, say));
  if (came.badge !== null) await badge(came.badge);
  await Promise.allSettled([came.proof && prove(came.proof), person && keepUp(person)]);
}

/**
 * After a turn of the sender: what was not told is told, and nothing is shown that is over.
 * @param {string} person
 * @returns {Promise<Map<string, Head>>}  what this phone knows now
 */
export async function afterSync(person) {
  const env = browserEnv();
  const [heads] = await Promise.all([tidy(person, env.now()), reportKept(env).catch(() => {})]);
  return heads;
}

/**
 * Show it; what only says how things stand goes by itself. That timer does not hold up the event: a browser looks at
 * its end whether something is shown.
 * @param {Shown} shown
 */
export async function show({ title, options }) {
  await worker.registration.showNotification(title, options);
  if (options.data.what !== 'quiet') return;
  browserEnv().timer(async () => {
    for (const notification of await worker.registration.getNotifications({ tag: options.tag })) {
      if (readMark(notification.data)?.at_ms === options.data.at_ms) notification.close();
    }
  }, QUIET_MS);
}

/** @param {{push: string, report: string}} proof */
async function prove(proof) {
  await report(browserEnv(), proof);
  // A page that waits for its test hears it.
  const pages = await worker.clients.matchAll({ type: 'window', includeUncontrolled: true });
  for (const page of pages) page.postMessage({ what: 'push shown', push: proof.push });
}

/** @param {string} person */
async function keepUp(person) {
  await syncOnce().catch(() => {});
  await afterSync(person);
}

/**
 * Fetch one conversation and keep it, whatever else this phone still has to fetch: it opens at once and offline.
 * @param {string} person
 * @param {string} id
 * @returns {Promise<Head|null>}  as the screen would show it; null when the server does not show it to her
 */
async function bring(person, id) {
  const [answer, replicaDisk, outboxDisk] = await Promise.all([
    conversation(browserEnv(), id),
    openReplica(indexedDB, person),
    openOutbox(indexedDB, person),
  ]);
  try {
    const line = answer.lines.find((each) => each.id === id);
    if (!line) return null;
    const { rows, saved } = await storeConversation(replicaDisk, answer, id);
    const keys = rows.map((row) => row.k);
    if (keys.length) tellPages(person, { what: 'changed', keys, version: saved.version });
    const entries = (await list(outboxDisk)).filter((entry) => entry.conversation_id === id);
    return overlayHead(JSON.parse(line.head), entries, person);
  } finally {
    replicaDisk.close();
    outboxDisk.close();
  }
}

/** @param {string} person @param {object} message */
export function tellPages(person, message) {
  if (!('BroadcastChannel' in self)) return;
  const channel = new BroadcastChannel(`stoep-${person}`);
  channel.postMessage(message);
  channel.close();
}

/**
 * Safari shows what the server wrote by itself and hands its notification over instead of the payload.
 * @param {any} event
 * @returns {unknown}
 */
function payloadOf(event) {
  try {
    if (event.data) return event.data.json();
  } catch {
    return null;
  }
  const { title, body, data } = event.notification ?? {};
  return { notification: { title, body, data } };
}
