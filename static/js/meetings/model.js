/**
 * A meeting as this tablet knows it: what the server said, with the outbox laid over it. Pure.
 * @module
 */

/** @typedef {import('../types.js').Entry} Entry */
/** @typedef {'waiting' | 'accepted' | 'held' | 'rejected'} Pending */

/**
 * @typedef {object} Meeting
 * @property {string} id
 * @property {string} area
 * @property {string} area_name
 * @property {string} title
 * @property {string} place
 * @property {number} starts_ms
 * @property {string[]} agenda
 * @property {{id: string, name: string}[]} hosts
 * @property {string[]} languages
 * @property {'planned' | 'open' | 'closed'} state
 * @property {string} code empty while only this tablet knows it
 * @property {number | null} headcount
 * @property {{id: string, name: string, organisation: string, email: string, minutes: boolean, pending?: Pending}[]} attendees
 * @property {{id: string, name: string, person: string | null, until_ms: number, used: boolean}[]} helpers
 * @property {number | null} minutes_ms
 * @property {boolean} [filed]
 * @property {Pending} [pending]
 */

/**
 * @typedef {object} Question
 * @property {string} id
 * @property {string} meeting
 * @property {string | null} c its conversation
 * @property {string} text
 * @property {number} asked_ms
 * @property {'tablet' | 'phone'} source
 * @property {string | null} by
 * @property {string} name
 * @property {string} answer_by
 * @property {string} contact
 * @property {string} topic
 * @property {number | null} agenda
 * @property {string} place
 * @property {boolean} urgent
 * @property {string[]} photos
 * @property {boolean} minutes
 * @property {'waiting' | 'shown' | 'hidden'} moderation
 * @property {string} reason
 * @property {'open' | 'answered' | 'later' | 'handed' | 'dropped'} fate
 * @property {string} fate_text
 * @property {string | null} fate_by
 * @property {number | null} fate_ms
 * @property {number} fate_position
 * @property {number} support
 * @property {Pending} [pending] of the question itself
 * @property {Pending} [deciding] of what was decided about it here
 */

/**
 * @typedef {object} Promised
 * @property {string} id
 * @property {string} meeting
 * @property {string | null} question
 * @property {string | null} c
 * @property {string} text
 * @property {string | null} owner
 * @property {string} owner_name
 * @property {number} due_ms
 * @property {number | null} kept_ms
 * @property {Pending} [pending]
 */

/** Takes effect on the screen: what a person must look at first does not. @param {Entry} entry */
const stands = ({ state }) => state === 'waiting' || state === 'accepted';

/**
 * @param {Meeting[]} stored
 * @param {Entry[]} entries the whole outbox, in order of writing
 * @param {Set<string>} areas what this person sees
 * @param {(code: string) => string} areaName
 * @returns {Meeting[]} the newest evening first
 */
export function meetingsOf(stored, entries, areas, areaName) {
  /** @type {Map<string, Meeting>} */
  const found = new Map();
  for (const one of stored)
    if (!one.filed && (areas.has(one.area) || areas.has(`meeting:${one.id}`)))
      found.set(one.id, one);
  for (const entry of entries) {
    const { kind, payload, state } = entry;
    const before = found.get(payload.meeting);
    if (kind === 'meeting') {
      // One that was refused stays to be read; an older one that could not be changed stays as it was.
      if (before && !stands(entry)) continue;
      found.set(payload.meeting, planned(before, payload, state, areaName));
    } else if (before && stands(entry)) {
      const after = happened(before, entry);
      if (after) found.set(before.id, after);
    }
  }
  return [...found.values()].sort((a, b) => b.starts_ms - a.starts_ms || (a.id < b.id ? 1 : -1));
}

/**
 * @param {Meeting | undefined} before
 * @param {Record<string, any>} payload
 * @param {Pending} pending
 * @param {(code: string) => string} areaName
 * @returns {Meeting}
 */
function planned(before, payload, pending, areaName) {
  const names = new Map(before?.hosts.map(({ id, name }) => [id, name]));
  return {
    state: 'planned',
    code: '',
    headcount: null,
    attendees: [],
    helpers: [],
    minutes_ms: null,
    ...before,
    id: payload.meeting,
    area: payload.area,
    area_name: areaName(payload.area),
    title: payload.title,
    place: payload.place ?? '',
    starts_ms: payload.starts_at_ms,
    agenda: payload.agenda ?? [],
    hosts: (payload.hosts ?? []).map((/** @type {string} */ id) => ({
      id,
      name: names.get(id) ?? '',
    })),
    languages: payload.languages ?? [],
    pending,
  };
}

/** @param {Meeting} meeting @param {Entry} entry @returns {Meeting | null} */
function happened(meeting, { kind, payload, op_id, state }) {
  if (kind === 'meeting_state') return { ...meeting, state: payload.state };
  if (kind === 'headcount') return { ...meeting, headcount: payload.heads };
  if (kind !== 'attend' || meeting.attendees.some(({ id }) => id === op_id)) return null;
  const { name = '', organisation = '', email = '', minutes = false } = payload;
  const attendee = { id: op_id, name, organisation, email, minutes, pending: state };
  return { ...meeting, attendees: [...meeting.attendees, attendee] };
}

/**
 * @param {Question[]} stored of any meeting
 * @param {Entry[]} entries the whole outbox, in order of writing
 * @param {string} meeting
 * @param {string} me
 * @returns {Question[]} in the order in which they were asked
 */
export function questionsOf(stored, entries, meeting, me) {
  /** @type {Map<string, Question>} */
  const found = new Map();
  for (const one of stored) if (one.meeting === meeting) found.set(one.id, one);
  for (const entry of entries) {
    const { kind, payload, op_id } = entry;
    if (kind === 'question') {
      // What the replica shows already only waits to be taken out of the outbox.
      if (payload.meeting === meeting && !found.has(op_id)) found.set(op_id, caught(entry, me));
    } else if (kind === 'fate' || kind === 'moderate' || kind === 'reword') {
      const before = found.get(payload.question);
      if (before) found.set(before.id, decided(before, entry, me));
    }
  }
  return [...found.values()].sort(byAsking);
}

/** @param {{asked_ms: number, id: string}} a @param {{asked_ms: number, id: string}} b */
export const byAsking = (a, b) => a.asked_ms - b.asked_ms || (a.id < b.id ? -1 : 1);

/** A question that only this tablet knows. @param {Entry} entry @param {string} me @returns {Question} */
function caught({ op_id, conversation_id, payload, state }, me) {
  return {
    id: op_id,
    meeting: payload.meeting,
    c: conversation_id,
    text: payload.text,
    asked_ms: payload.asked_at_ms,
    source: 'tablet',
    by: me,
    name: payload.name ?? '',
    answer_by: payload.answer_by ?? 'none',
    contact: payload.email || payload.phone || '',
    topic: payload.topic ?? '',
    agenda: payload.agenda ?? null,
    place: payload.place ?? '',
    urgent: Boolean(payload.urgent),
    photos: payload.attachments ?? [],
    minutes: Boolean(payload.minutes),
    moderation: payload.on_board === false ? 'waiting' : 'shown',
    reason: '',
    fate: 'open',
    fate_text: '',
    fate_by: null,
    fate_ms: null,
    fate_position: 0,
    support: 0,
    pending: state,
  };
}

/** @param {Question} question @param {Entry} entry @param {string} me @returns {Question} */
function decided(question, entry, me) {
  const { kind, payload, state, written_at_ms } = entry;
  if (!stands(entry)) return { ...question, deciding: state };
  if (kind === 'moderate')
    return {
      ...question,
      moderation: payload.state,
      reason: payload.reason ?? '',
      deciding: state,
    };
  if (kind === 'reword')
    return {
      ...question,
      text: payload.text,
      agenda: payload.agenda ?? null,
      deciding: state,
    };
  return {
    ...question,
    fate: payload.fate,
    fate_text: payload.text ?? '',
    fate_by: me,
    fate_ms: written_at_ms,
    deciding: state,
  };
}

/**
 * @param {Promised[]} stored of any meeting
 * @param {Entry[]} entries
 * @param {string} meeting
 * @param {(id: string) => string} personName
 * @returns {Promised[]} by their dates
 */
export function promisesOf(stored, entries, meeting, personName) {
  /** @type {Map<string, Promised>} */
  const found = new Map();
  for (const one of stored) if (one.meeting === meeting) found.set(one.id, one);
  for (const entry of entries) {
    const { kind, payload, op_id, state, written_at_ms, conversation_id } = entry;
    if (kind === 'promise' && payload.meeting === meeting && !found.has(op_id)) {
      found.set(op_id, {
        id: op_id,
        meeting,
        question: payload.question ?? null,
        c: conversation_id,
        text: payload.text,
        owner: payload.owner,
        owner_name: personName(payload.owner),
        due_ms: payload.due_at_ms,
        kept_ms: null,
        pending: state,
      });
    } else if (kind === 'promise_kept' && stands(entry)) {
      const before = found.get(payload.promise);
      if (before)
        found.set(before.id, {
          ...before,
          kept_ms: payload.kept ? written_at_ms : null,
          pending: state,
        });
    }
  }
  return [...found.values()].sort((a, b) => a.due_ms - b.due_ms || (a.id < b.id ? -1 : 1));
}

/** How many of these operations have not reached the server. @param {Entry[]} entries @param {string} meeting @param {Question[]} questions */
export function waitingOf(entries, meeting, questions) {
  const ours = new Set(questions.map(({ id }) => id));
  return entries.filter(
    ({ state, payload }) =>
      state === 'waiting' && (payload.meeting === meeting || ours.has(payload.question)),
  ).length;
}
