/**
 * Where else this person is signed in. Fetched when it is looked at; views are given the answers.
 * @module
 */

/** @typedef {{id: string, name: string, last_seen_ms: number | null, current: boolean}} Device */

/** @param {string} path @param {RequestInit} [init] @returns {Promise<any>} */
async function ask(path, init) {
  const answer = await fetch(`/api/v1/${path}`, { credentials: 'same-origin', ...init });
  // A captive portal answers 200 with a page of its own; what isn't JSON is no answer.
  if (
    !answer.ok ||
    (answer.status !== 204 && !/json/.test(answer.headers.get('content-type') ?? ''))
  )
    throw new Error(`no answer: ${answer.status}`);
  return answer.status === 204 ? null : answer.json();
}

/** @returns {Promise<Device[]>} */
export const devices = () => ask('devices');

/** @param {string} id */
export const revokeDevice = (id) => ask(`devices/${encodeURIComponent(id)}`, { method: 'DELETE' });
