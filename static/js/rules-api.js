/**
 * What the screen of the rules asks of the server. Rules are not kept on the phone: they hold for everybody at once.
 * @module
 */
import { json } from './api.js';
import { browserEnv } from './connection.js';

/** @typedef {'words' | 'every' | 'ticked' | 'repeated' | 'no_reaction'} RuleKind */
/** @typedef {{id: string, kind: RuleKind, on: boolean, name: string, words: string[], channels: string[], senders: string[], when: 'always' | 'open' | 'closed', times: number, minutes: number, open_hours: boolean}} Rule */
/** @typedef {{week: ([number, number] | null)[], closed: string[]}} Hours Monday first, in minutes of the day; closed days as in `2026-12-25` */
/** @typedef {{rules: Rule[], never: string[], hours: Hours}} Body */
/** @typedef {{version: number, revision: number, made_by: string | null, made_at_ms: number | null, live_by: string | null, live_at_ms: number | null}} Version */
/** @typedef {{urgent: number, corrected: number, missed: number}} Counts */
/** @typedef {{live: Version & {body: Body}, draft: (Version & {body: Body}) | null, versions: Version[], counts: Record<string, Counts>, counted_days: number, may_edit: boolean}} Overview */
/** @typedef {import('./views/verdict.js').Why} Why */
/** @typedef {{conversation: string, message: string, number: number | null, at_ms: number, text: string, name: string, before: Why, after: Why}} Example */
/** @typedef {{messages: number, since_ms: number | null, before: number, after: number, more: number, fewer: number, examples: {more: Example[], fewer: Example[]}, silent: {before: number, after: number}}} Trial */
/** @typedef {{version: number, revision: number}} Seen what was on the screen: a change on the server since then is refused (409) */

/** @param {import('./types.js').Env} [env] */
export function createRulesApi(env = browserEnv()) {
  // Every one raises NoAnswer; `failure.problem` is what the server said about it.
  return {
    /** @returns {Promise<Overview>} */
    overview: () => json(env, '/triage/rules'),
    /** @param {number} version @returns {Promise<{body: Body}>} */
    version: (version) => json(env, `/triage/rules/versions/${version}`),
    /** @param {Seen} seen @param {Body} body @returns {Promise<Seen & {body: Body}>} */
    store: ({ version, revision }, body) =>
      json(env, '/triage/rules/draft', { method: 'PUT', body: { version, revision, body } }),
    /** @param {Seen} seen */
    discard: ({ version, revision }) =>
      json(env, `/triage/rules/draft?version=${version}&revision=${revision}`, {
        method: 'DELETE',
      }),
    /** @param {Body} body @returns {Promise<Trial>} */
    tryOut: (body) => json(env, '/triage/trials', { method: 'POST', body: { body } }),
    /** @param {Seen} seen @returns {Promise<{version: number}>} */
    goLive: ({ version, revision }) =>
      json(env, '/triage/rules', { method: 'POST', body: { version, revision } }),
  };
}

/** @typedef {ReturnType<typeof createRulesApi>} RulesApi */
