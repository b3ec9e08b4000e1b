/**
 * Paths of the app and how to move between them. Everything else is the server's.
 * @module
 */

/** @typedef {import('./views/types.js').Route} Route */

/**
 * @param {string} pathname
 * @returns {Route}
 */
export function match(pathname) {
  if (pathname === '/') return { name: 'inbox' };
  const [, page, id] =
    /^\/(new|outbox|phone|oncall|rules|listening|channels|meetings|c)(?:\/([^/]+)\/?)?$/.exec(pathname) ??
    [];
  if (id && page === 'c') return { name: 'conversation', id: decodeURIComponent(id) };
  // Coming back from signing in to a channel, she is at the list.
  if (page && page !== 'c' && (!id || page === 'meetings' || id === 'signed-in'))
    return { name: /** @type {any} */ (page), ...(id ? { id } : {}) };
  return { name: 'missing' };
}

/**
 * Turn clicks on the app's own links and the back button into `changed(route, how)`.
 * @param {Window} window
 * @param {(route: Route, how: 'go' | 'back') => void} changed
 */
export function createRouter(window, changed) {
  const { history, location, document } = window;

  /** @param {string} path @param {{replace?: boolean}} [options] */
  const go = (path, { replace = false } = {}) => {
    const here = location.pathname + location.search;
    if (replace || path === here) history.replaceState(null, '', path);
    else history.pushState({ inside: true }, '', path);
    changed(match(location.pathname), 'go');
  };

  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey)
      return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin)
      return;
    // A bare #fragment is the skip link's; unknown paths belong to the server (sign-in, public pages).
    if (link.getAttribute('href')?.startsWith('#') || match(link.pathname).name === 'missing')
      return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
  window.addEventListener('popstate', () => changed(match(location.pathname), 'back'));

  return { go, route: () => match(location.pathname) };
}
