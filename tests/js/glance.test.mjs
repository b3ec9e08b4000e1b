// One conversation is shown before the lists are read, and it is the same one.
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { openStore } from '../../static/js/store.js';
import { IDBFactory } from './deps.mjs';
import { ModelServer } from './sim/server.mjs';

const NOW = Date.UTC(2026, 2, 2, 9);

/** A phone that holds a town, closed again. @param {number} conversations */
async function filled(conversations) {
  const server = new ModelServer({
    now: () => NOW,
    people: { anna: ['A'], bram: ['A'] },
    rowLimit: 500,
    pageSize: 64,
    windowDays: 90,
  });
  for (let i = 1; i <= conversations; i += 1) server.residentWrites(`c${i}`, 'A', `vraag ${i}`);
  const indexedDB = new IDBFactory();
  let online = true;
  const options = {
    personId: 'anna',
    indexedDB,
    now: () => NOW,
    env: { timer: (/** @type {() => void} */ work) => (setImmediate(work), () => {}) },
    fetch: async (/** @type {string} */ path, /** @type {any} */ init = {}) => {
      if (!online) throw new TypeError('Failed to fetch');
      const reply = server.handle('anna', init.method ?? 'GET', path, init.body);
      const headers = { 'content-type': reply.type };
      return new Response(/** @type {any} */ (reply.body), { status: reply.status, headers });
    },
  };
  const store = await openStore(/** @type {any} */ (options));
  await new Promise((resolve) => {
    const look = () => {
      const { lastInStepMs, progress, syncing } = store.status();
      if (lastInStepMs && !progress && !syncing && store.list().length === conversations)
        resolve(undefined);
    };
    store.subscribe(look);
    look();
  });
  const seen = Object.fromEntries(
    await Promise.all(store.list().map(async ({ id }) => [id, await store.conversation(id)])),
  );
  store.close();
  online = false;
  return { options, seen };
}

/** @param {any} options @param {string} id */
async function glancing(options, id) {
  /** @type {() => void} */
  let isDrawn = () => {};
  const drawn = new Promise((resolve) => (isDrawn = () => resolve(undefined)));
  const env = { timer: () => () => {} }; // so that nothing but the screen lets it read on
  const store = await openStore({ ...options, env, drawn, glance: id });
  return { store, isDrawn };
}

/** @param {any} store @param {number} count */
const listed = (store, count) =>
  new Promise((resolve) => {
    const look = () => store.list().length === count && resolve(undefined);
    store.subscribe(look);
    look();
  });

test('the conversation that an address names is shown whole before the lists are there', async () => {
  const { options, seen } = await filled(300);
  const { store, isDrawn } = await glancing(options, 'c290');
  assert.deepEqual(await store.conversation('c290'), seen.c290);
  assert.ok(store.list().length < 300);
  isDrawn();
  await listed(store, 300);
  assert.deepEqual(await store.conversation('c290'), seen.c290);
  store.close();
});

test('one that is not among the newest waits until everything is read', async () => {
  const { options, seen } = await filled(400);
  const { store } = await glancing(options, 'c1');
  assert.equal(store.list().length, 400);
  assert.deepEqual(await store.conversation('c1'), seen.c1);
  store.close();
});

test('one that is not on this phone opens the store all the same', async () => {
  const { options } = await filled(3);
  const { store } = await glancing(options, 'nobody');
  assert.equal(store.list().length, 3);
  store.close();
});

test('what was written before is laid over the one that is glanced at', async () => {
  const { options } = await filled(3);
  const before = await openStore({ ...options, sync: false });
  await before.enqueue({
    kind: 'reply',
    conversation_id: 'c2',
    based_on: 1,
    payload: { text: 'Wij komen', attachments: [] },
  });
  before.close();
  const { store, isDrawn } = await glancing(options, 'c2');
  const { messages } = await store.conversation('c2');
  assert.equal(messages.at(-1)?.text, 'Wij komen');
  assert.equal(store.status().waiting, 1);
  isDrawn();
  await listed(store, 3);
  store.close();
});
