/**
 * A virtual disk: the same port as `db.js`, in memory. Transactions are atomic and one at a time; a commit that was not
 * asked to be strict may be undone by a loss of power, newest first, as on a real phone.
 */

const SHAPES = {
  rows: { keyPath: 'k' },
  outbox: { keyPath: 'n', autoIncrement: true, unique: 'op_id' },
};

export class QuotaExceededError extends Error {
  name = 'QuotaExceededError';
}

/**
 * @param {string[]} stores
 * @param {{pause?: () => Promise<void>}} [world]  `pause` lets virtual time pass between the steps of a transaction
 */
export function createMemoryDisk(stores, { pause = async () => {} } = {}) {
  /** @type {Map<string, Map<any, any>>} */
  const data = new Map(stores.map((name) => [name, new Map()]));
  let counter = 0;
  let last = Promise.resolve();
  /** Commits that a loss of power would undo. @type {Array<() => void>} */
  let unsafe = [];
  const disk = { full: false };

  function transaction(mode) {
    /** @type {Map<string, Map<any, any>>} name → key → value, undefined = deleted */
    const journal = new Map();
    /** @type {Set<string>} */
    const cleared = new Set();
    const see = (name, key) => {
      const own = journal.get(name);
      if (own?.has(key)) return own.get(key);
      return cleared.has(name) ? undefined : data.get(name).get(key);
    };
    const entriesOf = (name, from, to, count) => {
      const keys = new Set(cleared.has(name) ? [] : data.get(name).keys());
      for (const key of journal.get(name)?.keys() ?? []) keys.add(key);
      return [...keys]
        .filter((key) => (from === undefined || key >= from) && (to === undefined || key <= to))
        .filter((key) => see(name, key) !== undefined)
        .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
        .slice(0, count);
    };
    const write = (name, key, value) => {
      if (mode !== 'readwrite') throw new Error('ReadOnlyError');
      if (value !== undefined && disk.full) throw new QuotaExceededError();
      const own = journal.get(name) ?? new Map();
      journal.set(name, own.set(key, value));
    };
    const tx = {
      get: async (name, key) => copy(see(name, key)),
      getAll: async (name, from, to, count) =>
        entriesOf(name, from, to, count).map((key) => copy(see(name, key))),
      keys: async (name, from, to, count) => entriesOf(name, from, to, count),
      put: (name, value, key) =>
        write(name, SHAPES[name] ? value[SHAPES[name].keyPath] : key, copy(value)),
      add: async (name, value) => {
        const { unique, keyPath } = SHAPES[name];
        for (const key of entriesOf(name))
          if (see(name, key)[unique] === value[unique]) throw new Error('ConstraintError');
        counter += 1;
        write(name, counter, { ...copy(value), [keyPath]: counter });
        return counter;
      },
      delete: (name, from, to) => {
        for (const key of to === undefined ? [from] : entriesOf(name, from, to))
          write(name, key, undefined);
      },
      clear: (name) => {
        cleared.add(name);
        journal.delete(name);
      },
    };
    return { tx, journal, cleared };
  }

  function commit({ journal, cleared }, strict) {
    /** @type {Array<() => void>} */
    const undo = [];
    for (const name of cleared) {
      const before = data.get(name);
      data.set(name, new Map());
      undo.push(() => data.set(name, before));
    }
    for (const [name, own] of journal) {
      for (const [key, value] of own) {
        const store = data.get(name);
        const before = store.get(key);
        undo.push(() =>
          before === undefined ? data.get(name).delete(key) : data.get(name).set(key, before),
        );
        if (value === undefined) store.delete(key);
        else store.set(key, value);
      }
    }
    if (strict) unsafe = [];
    else unsafe.push(() => undo.reverse().forEach((each) => each()));
  }

  const inTurn = (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => {});
    return mine;
  };

  return Object.assign(disk, {
    read: (_names, work) => inTurn(async () => work(transaction('readonly').tx)),
    write: async (_names, work, { strict = false } = {}) => {
      const value = await inTurn(async () => {
        await pause();
        const under = transaction('readwrite');
        const result = await work(under.tx);
        commit(under, strict);
        return result;
      });
      await pause(); // it is on the disk, but whoever asked does not know yet
      return value;
    },
    close: () => {},
    /** The power fails: some of the newest commits that were not strict are gone. @param {() => number} random */
    losePower(random) {
      const lost = Math.floor(random() * (unsafe.length + 1));
      for (let i = 0; i < lost; i += 1) unsafe.pop()();
      unsafe = [];
    },
    data,
  });
}

/** Structured clone for what lies in these stores: plain values are copied, blobs are not. */
function copy(value) {
  if (Array.isArray(value)) return value.map(copy);
  if (value === null || typeof value !== 'object') return value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const made = {};
  for (const key in value) made[key] = copy(value[key]);
  return made;
}
