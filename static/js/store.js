/**
 * The screen's only door to what is on the phone. Everything here reads the disk or memory; the network is the
 * sender's, except for what only exists on the server (its search, a photo, an old conversation).
 * Behind the door: `store/` has the replica in memory, the outbox over it, what is sent, what is heard.
 */

import * as api from './api.js';
import { browserEnv, listenToPage } from './connection.js';
import { openOutbox, openReplica, soon } from './db.js';
import { leaveNothing } from './device.js';
import { createDrafts } from './drafts.js';
import { uuid7 } from './ids.js';
import { needsPerson } from './outbox.js';
import { createLive } from './store/live.js';
import { createMemory } from './store/memory.js';
import { createRemote } from './store/remote.js';
import { createSending } from './store/sending.js';
import { createShowing } from './store/showing.js';
import { browserChannel, createTabs } from './store/tabs.js';
import { createTelling } from './store/telling.js';
import { createWaiting } from './store/waiting.js';
import { createDriver } from './sync/driver.js';
import { isSyncing } from './sync/core.js';
import * as replica from './sync/replica.js';

export { leaveNothing, readDevice, writeDevice } from './device.js';

/** @import { Answer, Disk, Entry, Env } from './types.js' */
/** @import { Change } from './sync/replica.js' */

/** The longest that the lists wait for the screen. */
const DRAWN_MS = 500;

/**
 * @typedef {object} Options
 * @property {string} personId
 * @property {typeof fetch} [fetch]
 * @property {() => number} [now]
 * @property {IDBFactory} [indexedDB]
 * @property {LockManager} [locks]
 * @property {Partial<Env>} [env]
 * @property {{replica: Disk, outbox: Disk}} [disks]  instead of IndexedDB
 * @property {{replica: Promise<Disk>, outbox: Promise<Disk>}|null} [opening]  her databases, when they are being opened already
 * @property {typeof EventSource} [EventSource]
 * @property {boolean} [sync]  false: do not start the sender
 * @property {Answer|null} [first]  of the server, to this person on an empty phone: it is shown at once, and stored
 * @property {string} [glance]  a conversation: the store opens when that one can be shown, and reads the lists meanwhile
 * @property {Promise<void>} [drawn]  that conversation is on the screen
 * @property {() => void} [onBroken]  this phone cannot store anything; otherwise opening raises
 * @property {boolean} [busy]  fetch nothing that nobody waits for until `settled`
 * @property {(name: string) => import('./store/tabs.js').Channel|null} [channel]
 */

/**
 * Open what is on this phone for one person, and start the sender.
 * @param {Options} options
 */
export async function openStore(options) {
  const { personId } = options;
  const env = browserEnv({
    ...(options.fetch ? { fetch: options.fetch } : {}),
    ...(options.now ? { now: options.now } : {}),
    ...(options.locks ? { lock: lockWith(options.locks) } : {}),
    ...options.env,
  });
  const factory = options.indexedDB ?? globalThis.indexedDB;
  const { replica: replicaDisk, outbox: outboxDisk } = options.disks ?? {
    replica: soon(options.opening?.replica ?? openReplica(factory, personId)),
    outbox: soon(options.opening?.outbox ?? openOutbox(factory, personId)),
  };

  const telling = createTelling((id) => showing.view(id));
  const { tell, later, isClosed } = telling;
  const memory = createMemory(replicaDisk, telling);
  const waiting = createWaiting(outboxDisk, telling);
  const remote = createRemote({ env, replicaDisk, outboxDisk, telling });
  const showing = createShowing({ personId, memory, waiting, remote });
  const drafts = createDrafts(outboxDisk);
  /** @type {Record<string, number>} */
  const uploading = {};
  let updateReady = false;
  const markUpdateReady = () => {
    updateReady = true;
    tell('status');
  };

  const tabs = createTabs({
    channel: (options.channel ?? browserChannel)(`stoep-${personId}`),
    replicaDisk,
    memory,
    onOutbox() {
      later(waiting.read());
      // In case the tab that wrote it ends before it can send; the lock makes us wait for our turn.
      if (options.sync !== false) driver.wake('queued');
    },
    onGone() {
      shut();
      telling.leave('signed_out');
    },
    onDrafts: () => tell('drafts'),
    onBuild: markUpdateReady,
  });

  let lastState = '';
  const connectionSince = { connection: 'online', ms: env.now() };
  const driver = createDriver({
    env,
    personId,
    replicaDisk,
    outboxDisk,
    first() {
      const given = options.first ?? null;
      options.first = null;
      return given;
    },
    known() {
      const heads = memory.heads();
      return { version: memory.saved.version, has: (id) => heads.has(id) };
    },
    onChange: (change) => {
      void memory.inTurn(() => memory.takeIn(change));
      tabs.tellChange(change);
    },
    onLoaded({ version }, entries) {
      void memory.inTurn(async () =>
        version > memory.saved.version ? memory.reload() : undefined,
      );
      // Whoever sent before us may have ended between the disk and telling.
      if (waiting.differs(entries)) later(waiting.read());
    },
    onOutbox: () => {
      tabs.tellOutbox();
      later(waiting.read());
    },
    onUpload: (blobId, fraction) => {
      if (fraction >= 1) delete uploading[blobId];
      else uploading[blobId] = fraction;
      tell('status');
    },
    onState: (state) => {
      const now = `${state.connection} ${isSyncing(state)} ${state.storage} ${state.lock}`;
      if (now === lastState) return;
      lastState = now;
      if (state.connection !== connectionSince.connection) {
        Object.assign(connectionSince, { connection: state.connection, ms: env.now() });
      }
      tell('status');
      if (state.connection === 'online' && isVisible()) live.open();
    },
    onWipe: () => wipe('revoked'),
    onIdle: () => void housekeeping().catch(() => {}),
    makeRoom,
  });
  const isOnline = () => !isClosed() && driver.state().connection === 'online';
  const isVisible = () => globalThis.document?.visibilityState !== 'hidden';
  const live = createLive({
    env,
    telling,
    Source: options.EventSource ?? globalThis.EventSource,
    onPoke: (seq) => driver.poke(seq),
    onUp: (up) => driver.seen({ stream: up }),
    isOnline,
    me: () => memory.saved.scope?.me.id ?? personId,
  });
  let stopListening = () => {};

  const newId = () => uuid7(env.now(), env.bytes(10));
  const sending = createSending({
    env,
    outboxDisk,
    drafts,
    waiting,
    telling,
    newId,
    tellOthers: () => tabs.tellOutbox(),
    wake: () => driver.wake('queued'),
    makeRoom,
  });

  async function housekeeping() {
    const { keepHouse } = await import('./store/housekeeping.js');
    await keepHouse({
      env,
      replicaDisk,
      memory,
      waiting,
      remote,
      everything: showing.everything,
      tellChange: (/** @type {Change} */ change) => tabs.tellChange(change),
      isOnline,
    });
  }

  async function makeRoom() {
    const { dropKept } = await import('./photos.js');
    await dropKept(replicaDisk);
  }

  // -- leaving -----------------------------------------------------------------------------------------------------

  /** Close everything without touching what is stored. */
  function shut() {
    if (isClosed()) return;
    stopListening();
    live.close();
    driver.stop();
    tabs.close();
    telling.close();
    replicaDisk.close();
    outboxDisk.close();
  }

  /**
   * Tells only when nothing is left: the screen goes elsewhere on hearing it, which would cut the work short.
   * @param {'signed_out'|'revoked'} why
   */
  async function wipe(why) {
    tabs.tellGone();
    shut();
    if (!options.disks) await leaveNothing(factory, personId).catch(() => {});
    telling.leave(why);
  }

  /**
   * The browser emptied this site under us. On a revoked phone the request that brought it may have been the stream's
   * or a picture's, whose answer no script sees; what is still in memory must leave the screen all the same.
   */
  async function emptied() {
    if (isClosed()) return;
    shut();
    const kind = await api.json(env, '/me').then(
      () => '',
      (error) => error.failure?.kind,
    );
    telling.leave(kind === 'revoked' ? 'revoked' : 'signed_out');
  }
  for (const disk of [replicaDisk, outboxDisk]) disk.whenLost?.(() => void emptied());

  // -- the door ----------------------------------------------------------------------------------------------------

  const store = {
    subscribe: telling.subscribe,
    watch: telling.watch,

    status() {
      const state = driver.state();
      const { saved } = memory;
      const walking = saved.walks.length > 0 || (saved.cursor === null && isSyncing(state));
      const looked = waiting.entries.filter((entry) => entry.kind !== 'read');
      return {
        connection: state.connection,
        sinceMs: connectionSince.ms,
        waiting: looked.filter((entry) => entry.state === 'waiting').length,
        needsPerson: looked.filter(needsPerson).length,
        lastInStepMs: saved.in_step_ms,
        syncing: isSyncing(state),
        progress: walking ? { have: Math.min(saved.have, saved.total), total: saved.total } : null,
        storage: state.storage || sending.storage,
        build: saved.build,
        updateReady,
        uploads: { ...uploading },
      };
    },

    me: () => memory.saved.scope?.me ?? null,
    scope: () => memory.saved.scope,
    refs: showing.refs,
    ref: showing.ref,
    list: showing.list,
    counts: showing.counts,
    conversation: showing.view,
    openConversation: showing.open,

    enqueue: sending.enqueue,
    /** @returns {Promise<Entry[]>} */
    outbox: async () => waiting.entries,
    sendNow: () => driver.wake('now'),
    sendAnyway: sending.sendAnyway,
    discard: sending.discard,
    edit: sending.edit,
    instead: sending.instead,
    takeBack: sending.takeBack,
    exportOutbox: sending.exportOutbox,
    unsent: sending.unsent,

    /** @param {string} id  conversation, or "new" */
    draft: (id) => drafts.get(id),
    saveDraft: sending.saveDraft,
    addPhoto: sending.addPhoto,
    photoUrl: remote.photoUrl,

    /**
     * Over everything on this phone, without a network.
     * @param {string} query
     * @returns {Promise<{head: import('./types.js').Head, snippet: string}[]>}  newest first
     */
    async searchLocal(query) {
      const { searchPhone } = await import('./search.js');
      return searchPhone(replicaDisk, query, showing.everything(), waiting.entries);
    },
    searchServer: remote.search,

    writing: live.writing,
    writers: live.writers,

    async storage() {
      const { measure } = await import('./report.js');
      const measured = await measure(replicaDisk);
      return {
        ...measured,
        conversations: showing.everything().length,
        outbox: waiting.entries.length,
      };
    },
    /** Ask that the browser never throws this away by itself. @returns {Promise<boolean>} */
    persist: async () => (await globalThis.navigator?.storage?.persist?.()) ?? false,

    /**
     * Leaves nothing behind on this phone. With unsent work it does nothing and says how much, unless forced.
     * @param {{force?: boolean}} [options]
     * @returns {Promise<{unsent: number, signedOut: boolean}>}
     */
    async signOut({ force = false } = {}) {
      const unsent = sending.unsent() + (await drafts.all()).size;
      if (unsent && !force) return { unsent, signedOut: false };
      await api.json(env, '/session', { method: 'DELETE' }).catch(() => {});
      await wipe('signed_out');
      return { unsent: 0, signedOut: true };
    },

    /**
     * Keep what the screen shows, so that the worker can answer the next cold start with it.
     * @param {string} path
     * @param {string} html  the whole document
     */
    async saveSnapshot(path, html) {
      const { saveSnapshot } = await import('./picture.js');
      return saveSnapshot(personId, path, html);
    },
    /** The new version may take over now: the page reloads when it has. */
    async applyUpdate() {
      const registration = await globalThis.navigator?.serviceWorker?.getRegistration();
      registration?.waiting?.postMessage({ what: 'take over' });
    },
    /** A new build is installed and waits. */
    markUpdateReady,

    newId,
    wake: driver.wake,
    /** The screen is drawn: there is time for the rest of the replica. */
    settled() {
      driver.seen({ busy: false });
      driver.wake('calm');
    },
    /** For tests and the worker: stop without clearing anything. */
    close: () => shut(),
    /** Bring the replica's rows into its pages now; otherwise it happens when idle. */
    compact: async () => (await import('./sync/upkeep.js')).compact(replicaDisk),
  };

  if (options.first) memory.preview(options.first);
  if (options.busy) driver.seen({ busy: true });
  const laid = waiting.read();
  laid.catch(() => {}); // awaited below
  const { glance } = options;
  const glanced = Boolean(glance) && (await memory.glance(glance ?? '').catch(() => false));
  const reading = readOn(glanced).catch(async () => {
    // A replica that cannot be read is worth nothing, and can be fetched again.
    await replica.reset(replicaDisk);
    await memory.readEverything();
  });
  const shown = memory.changes;
  const ready = Promise.all([reading, laid]).then(() => {
    if (memory.changes !== shown) tell('list', null);
    if (options.sync === false || isClosed()) return;
    stopListening = listenToPage({
      wake: (why) => {
        if (isVisible()) live.open();
        driver.wake(why);
      },
      seen: (seen) => {
        driver.seen(seen);
        if (!seen.visible) live.close();
      },
    });
    driver.wake('start');
    void registerBackgroundSync();
  });
  // What just came can be shown before anything is open; a screen without a disk is not kept up, though.
  if (options.first || glanced) later(ready.catch(() => options.onBroken?.()));
  await (options.first ? undefined : glanced ? laid : ready);
  return store;

  /** The lists wait until the conversation is drawn, which reading them would hold up. @param {boolean} glanced */
  async function readOn(glanced) {
    if (!glanced) return memory.readEverything();
    await Promise.race([options.drawn, new Promise((go) => env.timer(() => go(null), DRAWN_MS))]);
    return memory.inTurn(memory.readEverything);
  }
}

/** @typedef {Awaited<ReturnType<typeof openStore>>} Store */

/** @param {LockManager} locks @returns {Env['lock']} */
function lockWith(locks) {
  return async (name, work) => void (await locks.request(name, work));
}

/** Where it exists the browser then wakes the worker when the network is back, even with the app closed. */
async function registerBackgroundSync() {
  try {
    const registration = /** @type {any} */ (
      await globalThis.navigator?.serviceWorker?.getRegistration()
    );
    await registration?.sync?.register('stoep-outbox');
  } catch {
    // Not allowed or not there: the app sends when it is opened.
  }
}
