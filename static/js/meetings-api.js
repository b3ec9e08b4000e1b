/**
 * What of a meeting only the server can do; all else is queued.
 * @module
 */
import { json } from './api.js';
import { browserEnv } from './connection.js';

/** @param {import('./types.js').Env} [env] */
export function createMeetingsApi(env = browserEnv()) {
  /** @param {string} id */
  const part = (id) => encodeURIComponent(id);
  return {
    /** @param {string} meeting @param {string} name @returns {Promise<{url: string, qr: string, until_ms: number}>} raises NoAnswer */
    invite: (meeting, name) =>
      json(env, `/meetings/${part(meeting)}/helpers`, { method: 'POST', body: { name } }),
    /** @param {string} meeting @param {string} helper raises NoAnswer */
    dismiss: (meeting, helper) =>
      json(env, `/meetings/${part(meeting)}/helpers/${part(helper)}`, { method: 'DELETE' }),
    /** @param {string} meeting @returns {Promise<{mailed: number, wanted: number, mailbox: boolean, url: string}>} raises NoAnswer */
    giveOut: (meeting) => json(env, `/meetings/${part(meeting)}/minutes`, { method: 'POST' }),
  };
}

/** @typedef {ReturnType<typeof createMeetingsApi>} MeetingsApi */
