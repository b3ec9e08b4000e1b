import { NoAnswer, parse, readAnswer } from './sync/wire.js';

/** @import { Answer, Env, Failure, Op } from './types.js' */

export const API = '/api/v1';
/** A connection that says nothing for this long is dead; identity on the server makes asking again safe. */
const SILENCE_MS = 20_000;
const GZIP_FROM_BYTES = 1024;

/**
 * Push and pull in one request.
 * @param {Env} env
 * @param {{ops: Op[], after: number, scope: string, limit: number}} request
 * @returns {Promise<Answer>}  raises NoAnswer
 */
export async function sync(env, { ops, after, scope, limit }) {
  const text = JSON.stringify({ v: 1, ops, after, scope, limit });
  /** @type {Record<string, string>} */
  const headers = { 'content-type': 'application/json' };
  /** @type {any} */
  let body = text;
  if (env.gzip && text.length > GZIP_FROM_BYTES) {
    body = await env.gzip(new TextEncoder().encode(text));
    headers['content-encoding'] = 'gzip';
  }
  const reply = await exchange(env, `${API}/sync`, { method: 'POST', headers, body });
  return readAnswer(env, reply.bytes, 'sync');
}

/**
 * @param {Env} env
 * @param {'first'|'walk'|'personal'} part
 * @param {Record<string, string>} [query]
 * @returns {Promise<Answer>}  raises NoAnswer
 */
export async function replica(env, part, query = {}) {
  const reply = await exchange(
    env,
    `${API}/replica?${new URLSearchParams({ part, ...query })}`,
    {},
  );
  return readAnswer(env, reply.bytes, part);
}

/**
 * @param {Env} env
 * @param {string} id
 * @param {string} [scope]  refuse (409) when she sees other areas now than this names
 * @returns {Promise<Answer>}  raises NoAnswer
 */
export async function conversation(env, id, scope) {
  const query = scope ? `?${new URLSearchParams({ scope })}` : '';
  const reply = await exchange(env, `${API}/conversations/${encodeURIComponent(id)}${query}`, {});
  return readAnswer(env, reply.bytes, 'conversation');
}

/**
 * Any JSON answer of the API; null for an empty one.
 * @param {Env} env
 * @param {string} path  below /api/v1
 * @param {{method?: string, body?: any}} [options]
 * @returns {Promise<any>}  raises NoAnswer
 */
export async function json(env, path, { method = 'GET', body } = {}) {
  const reply = await exchange(env, API + path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return reply.bytes.length ? parse(reply.bytes) : null;
}

/** @param {Env} env @param {string} path @returns {Promise<Blob>}  raises NoAnswer */
export async function blob(env, path) {
  const reply = await exchange(
    env,
    API + path,
    {},
    [],
    ['image/', 'application/octet-stream', 'application/pdf'],
  );
  return new Blob([/** @type {any} */ (reply.bytes)], { type: reply.type });
}

/**
 * One exchange. Everything but the documented kind of answer raises NoAnswer, which says what it looked like.
 * @param {Env} env
 * @param {string} path
 * @param {RequestInit} init
 * @param {number[]} [accepted]  statuses besides 2xx that are answers
 * @param {string[]} [types]
 * @returns {Promise<{bytes: Uint8Array, type: string}>}
 */
export async function exchange(
  env,
  path,
  init,
  accepted = [],
  types = ['application/x-ndjson', 'application/json'],
) {
  const abort = new AbortController();
  const stopWatch = env.timer(() => abort.abort(), SILENCE_MS);
  try {
    const response = await env.fetch(path, {
      credentials: 'same-origin',
      cache: 'no-store',
      // A portal answers with its own page elsewhere; following it would hide that.
      redirect: 'manual',
      signal: abort.signal,
      ...init,
    });
    const type = response.headers.get('content-type') ?? '';
    const bytes = new Uint8Array(await response.arrayBuffer());
    // A redirection that was not followed has no status, so it is neither.
    const good = response.ok || accepted.includes(response.status);
    if (good && (response.status === 204 || types.some((known) => type.startsWith(known))))
      return { bytes, type };
    throw new NoAnswer(classify(response, type, bytes));
  } catch (error) {
    if (error instanceof NoAnswer) throw error;
    throw new NoAnswer({ kind: 'network' });
  } finally {
    stopWatch();
  }
}

/**
 * @param {Response} response
 * @param {string} type
 * @param {Uint8Array} bytes
 * @returns {Failure}
 */
function classify(response, type, bytes) {
  const { status } = response;
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400) || status === 511) {
    return { kind: 'portal', status };
  }
  let problem = null;
  if (type.startsWith('application/problem+json')) {
    try {
      problem = parse(bytes);
    } catch {
      return { kind: 'garbled', status };
    }
  }
  if (status < 300) return { kind: type.startsWith('text/html') ? 'portal' : 'garbled', status };
  if (status === 401 && problem) {
    if (String(problem.type).endsWith('/problems/revoked'))
      return { kind: 'revoked', status, problem };
    if (String(problem.type).endsWith('/problems/signed-out'))
      return { kind: 'signed_out', status, problem };
  }
  const retry_after_ms = 1000 * Number(response.headers.get('retry-after') ?? 0) || 0;
  const passing = status >= 500 || status === 408 || status === 425 || status === 429 || !problem;
  return { kind: passing ? 'server' : 'refused', status, problem, retry_after_ms };
}
