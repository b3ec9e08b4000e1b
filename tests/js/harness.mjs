/**
 * One phone under test: the real client modules, a life that can end at any instant, and a way to compare what it holds.
 * The same harness runs over a virtual world (`sim/`) and over fake-indexeddb against a real server process.
 */
import { createHash } from 'node:crypto';
import { pairsOf } from '../../static/js/residents.js';

/**
 * The client modules, the real ones or a copy with a planted fault.
 * @param {URL|string} [base]  folder of `store.js`
 */
export async function loadClient(base = new URL('../../static/js/', import.meta.url)) {
  const at = (path) => import(new URL(path, base).href);
  const [store, driver, replica, outbox, core, db] = await Promise.all([
    at('store.js'),
    at('sync/driver.js'),
    at('sync/replica.js'),
    at('outbox.js'),
    at('sync/core.js'),
    at('db.js'),
    at('taking-back.js'),
    at('uploading.js'),
    at('store/housekeeping.js'), // fetched when needed; here already, because loading takes no virtual time
  ]);
  return { store, driver, replica, outbox, core, db };
}

export const sha256 = async (bytes) => createHash('sha256').update(bytes).digest('hex');
const never = () => new Promise(() => {});

/**
 * A disk that stops existing for a process that was killed: nothing it awaits ever comes back, and a transaction that it
 * had open is rolled back.
 */
export function mortalDisk(disk, life) {
  const dying = (tx) =>
    Object.fromEntries(
      Object.entries(tx).map(([name, act]) => [
        name,
        (...given) => {
          if (life.dead) throw new Error('killed');
          return act(...given);
        },
      ]),
    );
  const through = (act) => async (stores, work, options) => {
    if (life.dead) return never();
    let value;
    try {
      value = await act(stores, (tx) => work(dying(tx)), options);
    } catch (error) {
      if (life.dead) return never();
      throw error;
    }
    return life.dead ? never() : value;
  };
  return { read: through(disk.read), write: through(disk.write), close: () => {} };
}

/** Locks of one origin, shared by its tabs and its worker; the dead let go. */
export function createLocks() {
  /** @type {Map<string, Array<() => void>>} */
  const queues = new Map();
  return {
    holdsFor: (life) => async (name, work) => {
      const queue = queues.get(name) ?? [];
      queues.set(name, queue);
      let entry = () => {};
      const turn = new Promise((resolve) => {
        entry = () => resolve(undefined);
      });
      const free = () => {
        const mine = queue.indexOf(entry);
        if (mine < 0) return;
        queue.splice(mine, 1);
        if (mine === 0) queue[0]?.();
      };
      queue.push(entry);
      if (queue.length === 1) entry();
      life.onDeath.push(free);
      await turn;
      if (life.dead) return never();
      try {
        await work();
      } finally {
        free();
      }
      return undefined;
    },
  };
}

/** Messages between the tabs of one origin. */
export function createBus() {
  const ends = new Set();
  return (life) => (_name) => {
    const end = {
      onmessage: null,
      postMessage(message) {
        if (life.dead) return;
        for (const other of ends) {
          if (other !== end)
            queueMicrotask(() => other.life.dead || other.onmessage?.({ data: message }));
        }
      },
      close: () => ends.delete(end),
      life,
    };
    ends.add(end);
    return end;
  };
}

/**
 * @param {object} world
 * @param {any} world.client  from loadClient
 * @param {string} world.personId
 * @param {() => Promise<{replica: any, outbox: any}>} world.openDisks
 * @param {(path: string, init: any) => Promise<any>} world.fetch
 * @param {() => number} world.now
 * @param {(work: () => void, delay_ms: number) => () => void} world.timer
 * @param {() => number} world.random
 * @param {() => boolean} [world.onLine]
 * @param {(bytes: Uint8Array) => Promise<Uint8Array>} [world.gzip]
 */
export function createPhone(world) {
  const locks = createLocks();
  const bus = createBus();
  const phone = {
    world,
    /** @type {Set<any>} */
    tabs: new Set(),

    /** Open a tab: a process of its own over the same databases. */
    async open({ sync = true } = {}) {
      const life = { dead: false, onDeath: [] };
      const disks = await world.openDisks();
      const alive =
        (act) =>
        (...given) =>
          life.dead
            ? never()
            : act(...given).then(
                (value) => (life.dead ? never() : value),
                (error) => (life.dead ? never() : Promise.reject(error)),
              );
      const tab = { life, phone, store: null, ready: null };
      phone.tabs.add(tab);
      const env = {
        fetch: alive(world.fetch),
        now: world.now,
        random: world.random,
        bytes: (count) =>
          Uint8Array.from({ length: count }, () => Math.floor(world.random() * 256)),
        timer: (work, delay_ms) => world.timer(() => life.dead || work(), delay_ms),
        digest: sha256,
        gzip: world.gzip ?? null,
        lock: locks.holdsFor(life),
        onLine: world.onLine ?? (() => true),
      };
      tab.ready = world.client.store
        .openStore({
          personId: world.personId,
          env,
          disks: {
            replica: mortalDisk(disks.replica, life),
            outbox: mortalDisk(disks.outbox, life),
          },
          channel: bus(life),
          sync,
        })
        .then((store) => {
          tab.store = store;
          return store;
        });
      return tab;
    },

    /** The process ends at this instant. */
    kill(tab) {
      tab.life.dead = true;
      phone.tabs.delete(tab);
      for (const free of tab.life.onDeath) free();
    },

    killAll() {
      for (const tab of [...phone.tabs]) phone.kill(tab);
    },
  };
  return phone;
}

/** What a store shows, without what is only laid over it: comparable with the server's own state. */
export async function dumpStore(store, { past = (_head) => false } = {}) {
  const conversations = {};
  const heads = [...store.list({ filter: 'all' }), ...store.list({ filter: 'closed' })];
  for (const head of heads) {
    if (past(head) || head.number === null) continue;
    const view = await store.conversation(head.id);
    const { pending, unread, ...plain } = head;
    conversations[head.id] = {
      head: plain,
      unread,
      messages: view.messages.filter((message) => !message.pending),
    };
  }
  const refs = {};
  for (const kind of ['areas', 'teams', 'people', 'accounts', 'templates']) {
    for (const each of store.refs(kind)) refs[`${kind}:${each.id ?? each.code}`] = each;
  }
  for (const pair of pairsOf(store.refs('same'), [], new Set(store.scope()?.areas)))
    refs[`same:${pair.id}`] = pair;
  return canonical({ conversations, refs });
}

/** JSON with sorted keys, so that equal things are equal texts. */
export function canonical(value) {
  if (Array.isArray(value)) return value.map(canonical);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, canonical(value[key])]),
  );
}
