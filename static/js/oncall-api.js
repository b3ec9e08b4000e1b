/**
 * What the rota's screens ask of the server. Nothing of it is queued: a rota that only one phone knows would wake nobody.
 * @module
 */
import { json } from './api.js';
import { browserEnv } from './connection.js';

/** @typedef {'woken' | 'lead' | 'skipped' | 'email' | 'sms' | 'contact_centre' | 'nobody' | 'snoozed' | 'acknowledged' | 'closed' | 'told' | 'reopened'} StepKind */
/** @typedef {'proven' | 'unproven' | 'none'} Reach */
/** @typedef {{at_ms: number, minutes: number, kind: StepKind, person?: string | null, reach?: Reach | null, why: {code: string} & Record<string, any>}} PreviewRow */
/** @typedef {{number: number, kind: StepKind, person: string | null, at_ms: number, outcome: string | null, detail: string | null}} Step */
/** @typedef {{weekdays: number[], from_minute: number, to_minute: number}} QuietHours weekdays 0 (Monday) to 6; minutes of the local day */
/** @typedef {{step_minutes: number, lead: string | null, email: string | null, sms: string | null, contact_centre_email: string | null}} Escalation */
/** @typedef {{id: string, name: string, may_plan: boolean, may_set: boolean, lead?: boolean, escalation: Escalation | null}} TeamSettings */
/** @typedef {{me: {quiet_hours: QuietHours | null, calendar: {url: string} | null}, teams: TeamSettings[]}} Settings */
/** @typedef {{devices: {device_id: string, name: string, state: string, proven_ms: number | null}[], team?: {person_id: string, name: string, reach: Reach}[]}} Health */

/** @param {import('./types.js').Env} [env] */
export function createOncallApi(env = browserEnv()) {
  /** @param {string} id */
  const part = (id) => encodeURIComponent(id);
  /** @param {'POST' | 'PUT' | 'PATCH' | 'DELETE'} method @param {string} path @param {unknown} [body] */
  const send = (method, path, body) => json(env, path, { method, body });

  // Every one raises NoAnswer; `failure.problem` is what the server said about it.
  return {
    /** @returns {Promise<Settings>} */
    settings: () => json(env, '/oncall'),
    /** @returns {Promise<Health>} */
    health: () => json(env, '/push/health'),
    /** @param {string} area @returns {Promise<PreviewRow[]>} */
    preview: async (area) =>
      (await json(env, `/oncall/preview?${new URLSearchParams({ area })}`)).rows,
    /** @param {string} conversation @returns {Promise<{steps: Step[], next: PreviewRow[]}>} */
    steps: (conversation) => json(env, `/conversations/${part(conversation)}/alert`),

    /** @param {{id: string, team: string, area: string | null, person: string, from_ms: number, to_ms: number, repeat_weeks: number}} shift */
    addShift: (shift) => send('POST', '/shifts', shift),
    /** @param {string} id @param {{person?: string, from_ms?: number, to_ms?: number}} change */
    changeShift: (id, change) => send('PATCH', `/shifts/${part(id)}`, change),
    /** @param {string} id @param {{id: string, person: string, from_ms: number}} to */
    handOver: (id, to) => send('POST', `/shifts/${part(id)}/handover`, to),
    /** @param {string} id */
    removeShift: (id) => send('DELETE', `/shifts/${part(id)}`),
    /** @param {{id: string, person: string, from_ms: number, to_ms: number}} absence */
    addAbsence: (absence) => send('POST', '/absences', absence),
    /** @param {string} id */
    removeAbsence: (id) => send('DELETE', `/absences/${part(id)}`),
    /** @param {string} person @param {QuietHours} hours */
    setQuietHours: (person, hours) => send('PUT', `/people/${part(person)}/quiet-hours`, hours),
    /** @param {string} team @param {Escalation} escalation */
    setEscalation: (team, escalation) => send('PUT', `/teams/${part(team)}/escalation`, escalation),
    /** A new address; the one before stops working. @returns {Promise<{url: string}>} */
    makeCalendar: () => send('POST', '/oncall/calendar'),
    dropCalendar: () => send('DELETE', '/oncall/calendar'),
  };
}

/** @typedef {ReturnType<typeof createOncallApi>} OncallApi */
