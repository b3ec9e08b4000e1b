/**
 * What the listening list asks of the server. It is not kept on the phone: others' words are nobody's to carry about.
 * Taking something over, and muting, are operations like any other and wait for a network.
 * @module
 */
import { json } from './api.js';
import { browserEnv } from './connection.js';

/** @typedef {{id: string, area: string, channel: string, account_name: string, title: string, text: string, author: string, link: string, said_ms: number, conversation: string | null}} Hit */
/** @typedef {{id: string, area: string, account: string, account_name: string, query: string, trouble: string}} Search */
/** @typedef {{id: string, area: string, label: string, at_ms: number}} Muted */
/** @typedef {{hits: Hit[], next: string | null, searches: Search[], muted: Muted[], accounts: {id: string, name: string}[]}} Heard */

/** @param {import('./types.js').Env} [env] */
export function createListeningApi(env = browserEnv()) {
  /** @param {string} path @param {string} id */
  const remove = (path, id) =>
    json(env, `/listening/${path}/${encodeURIComponent(id)}`, { method: 'DELETE' });

  // Every one raises NoAnswer; `failure.problem` is what the server said about it.
  return {
    /** @param {string | null} [before] @returns {Promise<Heard>} */
    heard: (before) =>
      json(env, before ? `/listening?before=${encodeURIComponent(before)}` : '/listening'),
    /** @param {{area: string, account: string, query: string}} wanted */
    listen: (wanted) => json(env, '/listening/searches', { method: 'POST', body: wanted }),
    /** @param {string} id */
    stop: (id) => remove('searches', id),
    /** @param {string} id */
    unmute: (id) => remove('muted', id),
  };
}
