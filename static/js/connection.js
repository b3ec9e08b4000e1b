import { hex } from './ids.js';

/** @import { Env } from './types.js' */

/**
 * The browser as the outside world. Parts can be replaced, which is how it is tested.
 * @param {Partial<Env>} [given]
 * @returns {Env}
 */
export function browserEnv(given = {}) {
  return {
    fetch: (path, init) => fetch(path, init),
    now: () => Date.now(),
    random: () => Math.random(),
    bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
    timer: (work, delay_ms) => {
      const id = setTimeout(work, delay_ms);
      return () => clearTimeout(id);
    },
    digest: async (bytes) => {
      const sum = await crypto.subtle.digest('SHA-256', /** @type {any} */ (bytes));
      return hex(new Uint8Array(sum));
    },
    gzip: 'CompressionStream' in globalThis ? gzip : null,
    lock: async (name, work) => {
      const locks = globalThis.navigator?.locks;
      if (locks) await locks.request(name, work);
      else await work();
    },
    onLine: () => globalThis.navigator?.onLine !== false,
    ...given,
  };
}

/** @param {Uint8Array} bytes @returns {Promise<Uint8Array>} */
async function gzip(bytes) {
  const stream = new Blob([/** @type {any} */ (bytes)])
    .stream()
    .pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * Tell the sender when the world may have changed. `online` is a hint to try, never a fact.
 * @param {{wake: (why: string) => void, seen: (seen: {visible: boolean}) => void}} sender
 * @returns {() => void}  stop listening
 */
export function listenToPage(sender) {
  if (!globalThis.document || !globalThis.addEventListener) return () => {};
  const stop = new AbortController();
  const { signal } = stop;
  const visible = () => document.visibilityState === 'visible';
  addEventListener('online', () => sender.wake('online'), { signal });
  addEventListener('focus', () => sender.wake('focus'), { signal });
  addEventListener('pageshow', (event) => event.persisted && sender.wake('visible'), { signal });
  document.addEventListener(
    'visibilitychange',
    () => {
      sender.seen({ visible: visible() });
      if (visible()) sender.wake('visible');
    },
    { signal },
  );
  sender.seen({ visible: visible() });
  return () => stop.abort();
}
