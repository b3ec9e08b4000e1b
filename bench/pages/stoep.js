// The phone's own store, without the screen: what the app does when it opens, catches up and sends.
import { dropDatabase, outboxName, replicaName } from '../../static/js/db.js';
import { openStore } from '../../static/js/store.js';

/** No pokes: a measurement says itself when the phone looks. */
class Silent {
  addEventListener() {}
  close() {}
}

let online = true;
let requests = 0;
let sentBytes = 0;
/** @type {Awaited<ReturnType<typeof openStore>>} */
let store;

/** @type {typeof fetch} */
const counted = (...given) => {
  if (!online) return Promise.reject(new TypeError('no network'));
  requests += 1;
  sentBytes += /** @type {any} */ (given[1]?.body)?.length ?? 0;
  return fetch(...given);
};

const PATIENCE_MS = 120_000;

/** @param {() => boolean} holds @returns {Promise<number>}  when it was seen to hold */
function until(holds) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (!holds()) return;
      stop();
      clearTimeout(timer);
      resolve(performance.now());
    };
    const stop = store.subscribe(look);
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`waited in vain: ${JSON.stringify(store.status())}`));
    }, PATIENCE_MS);
    look();
  });
}

const whole = () => {
  const { progress, syncing, lastInStepMs } = store.status();
  return progress === null && !syncing && lastInStepMs > 0;
};

/** @param {string} personId */
async function open(personId) {
  store = await openStore({ personId, fetch: counted, EventSource: /** @type {any} */ (Silent) });
}

/** An empty phone, until everything is there and nothing is left to ask. @param {string} personId */
async function firstReplica(personId) {
  store?.close();
  for (const name of [replicaName(personId), outboxName(personId)]) await dropDatabase(indexedDB, name);
  requests = 0;
  const began = performance.now();
  await open(personId);
  const listed_ms = (await until(() => store.list({ filter: 'all' }).length > 0)) - began;
  const took_ms = (await until(whole)) - began;
  const asked = requests;
  const { conversations, messages } = await store.storage();
  return { took_ms, listed_ms, requests: asked, conversations, messages };
}

/** Look for news once. */
async function catchUp() {
  await until(whole);
  const before = store.status().lastInStepMs;
  requests = 0;
  const began = performance.now();
  store.wake('online');
  const took_ms = (await until(() => store.status().lastInStepMs > before)) - began;
  await until(whole);
  return { took_ms, requests };
}

/** The newest conversations with their last position. @param {number} count */
function newest(count) {
  const heads = store.list({ filter: 'all' }).slice(0, count);
  return heads.map(({ id, position }) => ({ id, position }));
}

/**
 * Write replies without a network, and beside each one bare transaction that adds the same record: the floor.
 * @param {{id: string, position: number}[]} conversations
 * @param {string[]} texts
 * @returns {Promise<{queued_ms: number[], bare_ms: number[]}>}  each until it was safely on the disk
 */
async function queue(conversations, texts) {
  await until(whole);
  online = false;
  const bare = await openBare();
  const queued_ms = [];
  const bare_ms = [];
  for (const [i, { id, position }] of conversations.entries()) {
    const payload = { text: texts[i], attachments: [] };
    const op = { kind: 'reply', conversation_id: id, based_on: position, payload };
    await until(() => !store.status().syncing);
    const began = performance.now();
    await store.enqueue(op);
    queued_ms.push(performance.now() - began);
    await until(() => !store.status().syncing);
    const began_bare = performance.now();
    await new Promise((resolve, reject) => {
      const transaction = bare.transaction('all', 'readwrite', { durability: 'strict' });
      transaction.objectStore('all').add(op);
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    bare_ms.push(performance.now() - began_bare);
  }
  bare.close();
  return { queued_ms, bare_ms };
}

/** @returns {Promise<IDBDatabase>} */
async function openBare() {
  await dropDatabase(indexedDB, 'bare');
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('bare', 1);
    request.onupgradeneeded = () => void request.result.createObjectStore('all', { autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Back on the network: push what is queued and pull what is new. */
async function reconnect() {
  online = true;
  requests = sentBytes = 0;
  const began = performance.now();
  store.sendNow();
  const took_ms = (await until(() => store.status().waiting === 0)) - began;
  await until(whole);
  const left = await store.outbox();
  return { took_ms, requests, sent_bytes: sentBytes, left: left.length, needsPerson: store.status().needsPerson };
}

Object.assign(globalThis, { bench: { open, firstReplica, catchUp, newest, queue, reconnect } });
