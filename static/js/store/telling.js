/** Who wants to know that something changed. What is told in one turn goes out together. */

/**
 * @param {(id: string) => Promise<any>} view  of one conversation, for those who watch it
 */
export function createTelling(view) {
  /** @type {Set<(change: {kinds: Set<string>}) => void>} */
  const listeners = new Set();
  /** @type {Map<string, Set<(view: any) => void>>} */
  const watchers = new Map();
  /** @type {Set<string>} */
  let kinds = new Set();
  /** @type {Set<string>|null} null = any conversation may have changed */
  let touched = new Set();
  let closed = false;
  /** Why everything here is gone; whoever listens only now is told too, for the screen must not stay. */
  let left = '';

  /** What was under way when the store closed may fail; nobody waits for it. @param {unknown} error */
  function unlessClosed(error) {
    if (!closed) throw error;
  }

  /** @param {Promise<unknown>} work */
  const later = (work) => void work.catch(unlessClosed);

  function flush() {
    const change = { kinds };
    const ids = touched;
    kinds = new Set();
    touched = new Set();
    for (const listener of listeners) listener(change);
    for (const [id, callbacks] of watchers) {
      if (ids && !ids.has(id)) continue;
      later(view(id).then((seen) => callbacks.forEach((callback) => callback(seen))));
    }
  }

  return {
    later,
    unlessClosed,
    isClosed: () => closed,

    /** @param {string} kind @param {Iterable<string>|null} [ids]  conversations; null = perhaps all of them */
    tell(kind, ids = []) {
      if (closed) return;
      if (!kinds.size) queueMicrotask(flush);
      kinds.add(kind);
      if (ids === null) touched = null;
      else if (touched) for (const id of ids) touched.add(id);
    },

    /** @param {(change: {kinds: Set<string>}) => void} listener @returns {() => void} */
    subscribe(listener) {
      listeners.add(listener);
      if (left) queueMicrotask(() => listener({ kinds: new Set([left, 'status']) }));
      return () => void listeners.delete(listener);
    },

    /** Called now and after each change of this conversation. @param {string} id @param {(view: any) => void} callback */
    watch(id, callback) {
      const of = watchers.get(id) ?? new Set();
      watchers.set(id, of.add(callback));
      later(view(id).then(callback));
      return () => {
        of.delete(callback);
        if (!of.size) watchers.delete(id);
      };
    },

    /** Tell what is left; after this nothing is told but `leave`. */
    close() {
      flush();
      closed = true;
    },

    /** @param {'signed_out'|'revoked'} why */
    leave(why) {
      left = why;
      for (const listener of listeners) listener({ kinds: new Set([why, 'status']) });
    },
  };
}

/** @typedef {ReturnType<typeof createTelling>} Telling */
