/**
 * After signing in every page begins with the same request. The worker is awake before the page has a script, so it
 * asks; the answer goes to that page only, once, and is not kept.
 */

const FIRST = '/api/v1/replica?part=first';
const KEEP_MS = 20_000;

/** By the page that is being opened. @type {Map<string, Promise<Response>>} */
const asked = new Map();

/** @param {{resultingClientId?: string}} event  a navigation */
export function askAhead({ resultingClientId: page }) {
  if (!page) return;
  const answer = fetch(FIRST, { credentials: 'same-origin', cache: 'no-store', redirect: 'manual' });
  answer.catch(() => {}); // said to the page
  asked.set(page, answer);
  setTimeout(() => asked.delete(page), KEEP_MS);
}

/**
 * @param {{clientId?: string}} event
 * @param {URL} url
 * @returns {Promise<Response>|null}
 */
export function takeAhead({ clientId = '' }, url) {
  if (url.pathname + url.search !== FIRST) return null;
  const answer = asked.get(clientId) ?? null;
  asked.delete(clientId);
  return answer;
}
