/**
 * The last screen as a page: with it the worker answers a cold start at once, and the app takes it over.
 * @module
 */

const PAUSE_MS = 1500;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let pause;
/** The path whose screen is about to be kept. */
let coming = '';
/** @type {Map<string, string>} */
const kept = new Map();

/**
 * @param {Document} document
 * @returns {string} the whole page; without what would be wrong next time: addresses of pictures in memory, the sentence of a toast, open dialogs
 */
export function page(document) {
  const copy = /** @type {HTMLElement} */ (document.documentElement.cloneNode(true));
  for (const picture of copy.querySelectorAll('img[src^="blob:"]')) picture.removeAttribute('src');
  for (const gone of copy.querySelectorAll('dialog, .toast, noscript')) gone.remove();
  for (const moving of copy.querySelectorAll('[style]')) moving.removeAttribute('style');
  const live = copy.querySelector('#announce');
  if (live) live.textContent = '';
  // lit's markers only cost bytes: the app draws its own screen beside this one.
  return `<!doctype html>${copy.outerHTML.replace(/<!--.*?-->/gs, '')}`;
}

/** @param {import('./types.js').Store} store @param {string} path */
export function saveSnapshot(store, path) {
  if (!store.saveSnapshot) return;
  // A screen that keeps changing (a line that comes and goes) is kept all the same.
  if (coming === path) return;
  coming = path;
  clearTimeout(pause);
  pause = setTimeout(() => {
    coming = '';
    const save = () => {
      if (location.pathname !== path || document.querySelector('dialog, .swiping')) return;
      const html = page(document);
      if (kept.get(path) === html) return;
      kept.clear();
      kept.set(path, html);
      Promise.resolve(store.saveSnapshot?.(path, html))
        .catch(() => false)
        .then((saved) => saved || kept.delete(path));
    };
    if ('requestIdleCallback' in window) requestIdleCallback(save);
    else save();
  }, PAUSE_MS);
}
