// Put into every page before its own scripts: tells when something has been painted, by name, in
// milliseconds since the navigation began.
(() => {
  /** @type {Record<string, {holds: () => boolean, tell: (at_ms: number) => void}>} */
  const awaited = {};
  /** @type {Record<string, Promise<number>>} */
  const seen = {};
  const count = (/** @type {string} */ selector) => document.querySelectorAll(selector).length;

  /** @param {string} name @param {() => boolean} holds */
  const watch = (name, holds) => {
    seen[name] = new Promise((tell) => (awaited[name] = { holds, tell }));
  };

  const look = () => {
    for (const [name, { holds, tell }] of Object.entries(awaited)) {
      if (!holds()) continue;
      delete awaited[name];
      // This frame is being made; a task queued from it runs when it has been handed over.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => tell(performance.now());
      port2.postMessage(null);
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);

  watch('rows', () => count('.row') >= 50);
  watch('messages', () => count('.conversation .message') > 0);
  // lit marks what it has drawn into: before that the composer is only a picture of one.
  watch('composer', () => {
    const field = document.querySelector('#composer-text:not([disabled])');
    const app = /** @type {any} */ (document.querySelector('#app'));
    return Boolean(field && app?.['_$litPart$']);
  });

  /** Whether frames came on time while something was done. */
  function frames() {
    const gaps = [];
    let last = performance.now();
    let going = true;
    const beat = (/** @type {number} */ now) => {
      gaps.push(now - last);
      last = now;
      if (going) requestAnimationFrame(beat);
    };
    requestAnimationFrame((now) => {
      last = now;
      requestAnimationFrame(beat);
    });
    return () => {
      going = false;
      return gaps;
    };
  }

  /** @param {IDBRequest} request @returns {Promise<any>} */
  const result = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });

  /** Whether the replica's own record says that nothing is left to fetch. */
  async function whole() {
    const found = (await indexedDB.databases()).find(({ name }) => name?.startsWith('stoep-replica'));
    if (!found?.name) return false;
    const db = await result(indexedDB.open(found.name));
    const saved = await result(db.transaction('meta').objectStore('meta').get('saved'));
    db.close();
    return Boolean(saved && saved.cursor !== null && !saved.walks.length && saved.personal);
  }

  Object.assign(globalThis, { watched: { seen, frames, whole } });
})();
