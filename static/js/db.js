/** IndexedDB as the narrow port that the rest of the phone uses: transactions of gets, puts and deletes. */

/** @import { Disk, Tx } from './types.js' */
/** @typedef {(db: IDBDatabase) => void} Step */

/** Steps are only ever appended: a phone may come from any earlier one. @type {Step[]} */
const REPLICA = [
  (db) => {
    db.createObjectStore('pages');
    db.createObjectStore('heads');
    db.createObjectStore('rows', { keyPath: 'k' });
    db.createObjectStore('meta');
    db.createObjectStore('photos');
  },
];

/** What a person typed lives here; keep this list short. @type {Step[]} */
const OUTBOX = [
  (db) => {
    db.createObjectStore('outbox', { keyPath: 'n', autoIncrement: true }).createIndex(
      'op_id',
      'op_id',
      {
        unique: true,
      },
    );
    db.createObjectStore('drafts');
    db.createObjectStore('photos');
  },
];

/** @type {Step[]} */
const DEVICE = [(db) => void db.createObjectStore('device')];

export const STORES = {
  replica: ['pages', 'heads', 'rows', 'meta', 'photos'],
  outbox: ['outbox', 'drafts', 'photos'],
};

/** @param {string} personId */
export const replicaName = (personId) => `stoep-replica-${personId}`;
/** @param {string} personId */
export const outboxName = (personId) => `stoep-outbox-${personId}`;
export const DEVICE_NAME = 'stoep-device';

/**
 * The replica may always be thrown away: one that cannot be opened is deleted and begins empty.
 * @param {IDBFactory} factory
 * @param {string} personId
 */
export async function openReplica(factory, personId) {
  try {
    return await openDisk(factory, replicaName(personId), REPLICA);
  } catch {
    await dropDatabase(factory, replicaName(personId));
    return openDisk(factory, replicaName(personId), REPLICA);
  }
}

/**
 * Raises when it cannot be opened: what was typed must never be replaced by an empty database.
 * @param {IDBFactory} factory
 * @param {string} personId
 */
export function openOutbox(factory, personId) {
  return openDisk(factory, outboxName(personId), OUTBOX);
}

/**
 * Usable at once; whatever is asked of it waits until it is open.
 * @param {Promise<Disk>} opening
 * @returns {Disk}
 */
export function soon(opening) {
  opening.catch(() => {}); // said to whoever asks something of it
  return {
    read: async (stores, work) => (await opening).read(stores, work),
    write: async (stores, work, options) => (await opening).write(stores, work, options),
    close: () => void opening.then((disk) => disk.close()).catch(() => {}),
    whenLost: (work) => void opening.then((disk) => disk.whenLost?.(work)).catch(() => {}),
  };
}

/** @param {IDBFactory} factory */
export function openDevice(factory) {
  return openDisk(factory, DEVICE_NAME, DEVICE);
}

/**
 * Deletes one database; connections elsewhere close themselves on `versionchange`.
 * @param {IDBFactory} factory
 * @param {string} name
 * @returns {Promise<void>}
 */
export async function dropDatabase(factory, name) {
  await result(factory.deleteDatabase(name));
}

/**
 * @param {IDBFactory} factory
 * @param {string} name
 * @param {Step[]} steps
 * @returns {Promise<Disk>}
 */
async function openDisk(factory, name, steps) {
  const request = factory.open(name, steps.length);
  request.addEventListener('upgradeneeded', (event) => {
    for (let step = event.oldVersion; step < steps.length; step += 1) steps[step](request.result);
  });
  const db = await result(request);
  // Another tab deletes or upgrades: staying open would block it for ever.
  db.addEventListener('versionchange', () => db.close());
  let lost = () => {};
  // Only when the browser itself took the database away: site data cleared, by a person or by the server's word.
  db.addEventListener('close', () => lost());

  /**
   * @template T
   * @param {string[]} stores
   * @param {IDBTransactionMode} mode
   * @param {(tx: Tx) => Promise<T>|T} work
   * @param {IDBTransactionOptions} options
   * @returns {Promise<T>}
   */
  async function transact(stores, mode, work, options) {
    const transaction = db.transaction(stores, mode, options);
    const done = ended(transaction);
    done.catch(() => {}); // it is awaited below; this keeps an early abort from being "unhandled"
    try {
      const value = await work(port(transaction));
      if (mode !== 'readonly') {
        finish(transaction);
        await done;
      }
      return value;
    } catch (error) {
      try {
        transaction.abort();
      } catch {
        // it had ended already
      }
      throw transaction.error ?? error;
    }
  }

  return {
    read: (stores, work) => transact(stores, 'readonly', work, {}),
    write: (stores, work, { strict = false } = {}) =>
      transact(stores, 'readwrite', work, { durability: strict ? 'strict' : 'relaxed' }),
    close: () => db.close(),
    /** @param {() => void} work */
    whenLost: (work) => void (lost = work),
  };
}

/** Otherwise the browser looks first whether more will be asked. @param {IDBTransaction} transaction */
function finish(transaction) {
  try {
    transaction.commit();
  } catch {
    // it is ending by itself
  }
}

/**
 * Puts and deletes make no promise each: an error aborts the whole transaction, whose end is awaited once.
 * @param {IDBTransaction} transaction
 * @returns {Tx}
 */
function port(transaction) {
  /** @type {Map<string, IDBObjectStore>} */
  const opened = new Map();
  /** @param {string} name */
  const store = (name) => {
    let found = opened.get(name);
    if (!found) opened.set(name, (found = transaction.objectStore(name)));
    return found;
  };
  return {
    get: (name, key) => result(store(name).get(key)),
    getAll: (name, from, to, count) => result(store(name).getAll(range(from, to), count)),
    keys: (name, from, to, count) => result(store(name).getAllKeys(range(from, to), count)),
    put: (name, value, key) => void store(name).put(value, key),
    add: (name, value) => result(store(name).add(value)),
    delete: (name, from, to) =>
      void store(name).delete(
        to === undefined ? from : /** @type {IDBKeyRange} */ (range(from, to)),
      ),
    clear: (name) => void store(name).clear(),
  };
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
function ended(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new DOMException('', 'AbortError'));
  });
}

/**
 * @param {IDBValidKey} [from]
 * @param {IDBValidKey} [to]
 * @returns {IDBKeyRange|undefined}
 */
function range(from, to) {
  if (from !== undefined && to !== undefined) return IDBKeyRange.bound(from, to);
  if (from !== undefined) return IDBKeyRange.lowerBound(from);
  if (to !== undefined) return IDBKeyRange.upperBound(to);
  return undefined;
}
