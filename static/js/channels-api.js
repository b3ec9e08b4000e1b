/**
 * What the screen of channels asks of the server. Nothing of it is queued: a password waits on no phone.
 * @module
 */
import { json } from './api.js';
import { browserEnv } from './connection.js';
import { NoAnswer } from './sync/wire.js';

/** So long it is asked again what came of signing in on a platform's page: the server gives up before. */
const CONSENT_MS = 120_000;
const AGAIN_MS = 2_000;
/** What says nothing about the outcome. */
const PASSING = new Set(['network', 'portal', 'garbled', 'server']);

/** @typedef {[string, string]} Both Dutch and English */
/** @typedef {{name: string, label: Both, kind: 'text' | 'url' | 'secret' | 'number' | 'lines' | 'choice', help: Both, required: boolean, choices: {value: string, label: Both}[]}} Field */
/** @typedef {{kind: string, title: Both, intro: Both, sign_in: boolean, public: boolean, answers: boolean, fields: Field[]}} Kind */
/** @typedef {{code: string, made_ms: number, expires_ms: number, seen_ms: number | null, conversation: string | null}} Test */
/** @typedef {{state: string, since_ms: number, until_ms: number | null, gaps: [number, number][], code: string, words: string[]}} Health */
/** @typedef {{id: string, kind: string, name: string, team: string, area: string | null, enabled: boolean, ended_ms: number | null, can_change: boolean, values: Record<string, any>, not_asked?: string[], waiting: number, test: Test | null, health: Health, hook_url?: string}} Told */
/** @typedef {{name: string, team: string, area: string | null, values: Record<string, any>}} Typed */
/** @typedef {{id: string, name: string, address: string, last_ms: number, conversations: number, other: {channel: string, address: string}[]}} Reached */

/** @param {import('./types.js').Env} [env] */
export function createChannelsApi(env = browserEnv()) {
  /** @param {string} id */
  const at = (id) => `/channels/${encodeURIComponent(id)}`;
  // Every one raises NoAnswer; `failure.problem` is what the server said about it.
  return {
    /** @returns {Promise<Kind[]>} */
    kinds: () => json(env, '/channels/kinds'),
    /** @returns {Promise<Told[]>} */
    overview: () => json(env, '/channels'),
    /** @param {string} kind @param {Typed} typed @returns {Promise<Told>} */
    add: (kind, typed) => json(env, '/channels', { method: 'POST', body: { kind, ...typed } }),
    /** @param {string} id @param {Typed} typed @returns {Promise<Told>} */
    change: (id, typed) => json(env, at(id), { method: 'PUT', body: typed }),
    /** @param {string} id @param {boolean} enabled @returns {Promise<Told>} */
    turn: (id, enabled) => json(env, `${at(id)}/enabled`, { method: 'PUT', body: { enabled } }),
    /** @param {string} id @returns {Promise<Told>} */
    end: (id) => json(env, at(id), { method: 'DELETE' }),
    /** @param {string} id @returns {Promise<{fine: boolean, at_ms: number, words?: string[], hook_url?: string}>} */
    check: (id) => json(env, `${at(id)}/checks`, { method: 'POST' }),
    /** @param {string} id @returns {Promise<Test>} */
    begin: (id) => json(env, `${at(id)}/tests`, { method: 'POST' }),
    /** @param {string} id @returns {Promise<Test | undefined>} */
    test: async (id) => (await json(env, `${at(id)}/tests`))[0],
    /** @param {string} id @returns {Promise<{residents: Reached[], unreachable: number, cut: boolean}>} */
    residents: (id) => json(env, `${at(id)}/residents`),
    /** @param {string} id */
    table: (id) => `/api/v1${at(id)}/residents.csv`,
    /** @param {string} kind @param {Typed} typed @param {string | null} [account] @returns {Promise<{page: string}>} */
    signIn: (kind, typed, account = null) =>
      json(env, '/channels/sign-ins', { method: 'POST', body: { kind, account, ...typed } }),
    /** @param {string} state @param {string} code @returns {Promise<Told>} */
    async consent(state, code) {
      // It may take the platform longer than a request is waited for; asked again, the server says what came of it.
      const until = env.now() + CONSENT_MS;
      for (;;) {
        try {
          const told = await json(env, '/channels/consents', { method: 'POST', body: { state, code } });
          if (!told.pending) return told;
          if (env.now() > until) throw new NoAnswer({ kind: 'server' });
        } catch (error) {
          const lost = error instanceof NoAnswer && PASSING.has(error.failure.kind);
          if (!lost || env.now() > until) throw error;
        }
        await new Promise((resolve) => env.timer(() => resolve(undefined), AGAIN_MS));
      }
    },
  };
}

/** @typedef {ReturnType<typeof createChannelsApi>} ChannelsApi */
