/**
 * What the screen shows = stored entities + the outbox laid over them. Pure.
 */

import { blobsOf, needsPerson } from './outbox.js';

/** @import { Alert, Attachment, Entry, Head, Me, Message } from './types.js' */

const PREVIEW_CHARS = 140;

/**
 * @param {Head} head
 * @param {Entry[]} entries  of this conversation, in order of writing
 * @param {string|null} [me]  whose outbox it is
 * @returns {Head}
 */
export function overlayHead(head, entries, me = null) {
  if (!entries.length) return head;
  const shown = { ...head };
  for (const entry of entries) apply(shown, entry, me);
  return shown;
}

/** @param {Head} head @param {Entry} entry @param {string|null} me */
function apply(head, entry, me) {
  if (entry.kind !== 'read' && entry.state !== 'accepted') head.pending = true;
  if (needsPerson(entry)) return;
  const { payload } = entry;
  switch (entry.kind) {
    case 'reply':
    case 'note':
      if (entry.kind === 'reply') head.waiting_since_ms = null;
      if (entry.written_at_ms >= head.activity_ms) {
        head.activity_ms = entry.written_at_ms;
        head.preview = String(payload.text ?? '').slice(0, PREVIEW_CHARS);
        head.preview_by = entry.kind === 'reply' ? 'out' : 'note';
      }
      break;
    case 'status':
      head.status = payload.status;
      break;
    case 'assign':
      head.assignee = payload.person;
      break;
    case 'area':
      head.area = payload.area;
      break;
    case 'topics': {
      const topics = new Set(head.topics);
      for (const topic of payload.add ?? []) topics.add(topic);
      for (const topic of payload.remove ?? []) topics.delete(topic);
      head.topics = [...topics];
      break;
    }
    case 'urgent':
      head.urgent = Boolean(payload.urgent);
      head.urgent_reason = payload.reason ?? null;
      break;
    case 'acknowledge':
      // A colleague was first: the server said so, and the feed brings her name.
      if (head.alert?.state !== 'open' || entry.result?.detail?.startsWith('already:')) break;
      head.alert = {
        ...head.alert,
        state: 'acknowledged',
        by: me,
        at_ms: entry.written_at_ms,
        next: null,
        pending: entry.state === 'waiting',
      };
      head.assignee = me;
      break;
    case 'snooze':
      if (head.alert?.state === 'open') head.alert = snooze(head.alert, entry, me);
      break;
  }
}

/**
 * She is woken again later; for her colleagues the clock runs on.
 * @param {Alert} alert
 * @param {Entry} entry
 * @param {string|null} me
 * @returns {Alert}
 */
function snooze(alert, { payload, written_at_ms, state }, me) {
  const until_ms = written_at_ms + Number(payload.minutes) * 60_000;
  const others = (alert.snoozed ?? []).filter(({ person }) => person !== me);
  return { ...alert, snoozed: [...others, { person: me, until_ms, pending: state === 'waiting' }] };
}

/**
 * A conversation that only this phone knows yet.
 * @param {Entry} entry  of kind contact
 * @returns {Head}
 */
export function contactHead(entry) {
  const { payload, conversation_id, written_at_ms } = entry;
  const answered = Boolean(payload.answered);
  return {
    s: 0,
    id: conversation_id,
    number: null,
    account: null,
    channel: 'contact',
    area: payload.area ?? '',
    subject: payload.group ?? '',
    resident: {
      id: '',
      name: payload.name ?? '',
      kind: payload.kind ?? 'resident',
      address: payload.email || payload.phone || null,
    },
    status: answered ? 'closed' : 'new',
    assignee: null,
    topics: [],
    urgent: Boolean(payload.urgent),
    urgent_reason: null,
    created_ms: written_at_ms,
    activity_ms: written_at_ms,
    waiting_since_ms: answered ? null : written_at_ms,
    preview: String(payload.text ?? '').slice(0, PREVIEW_CHARS),
    preview_by: 'in',
    count: 1,
    position: 0,
    in_position: 0,
    place: payload.place ?? null,
    can_reply: false,
    why_not: payload.via === 'group' ? 'by_hand' : null,
    rating: null,
    erased: false,
    pending: true,
  };
}

/**
 * Stored messages by position, then what waits, in order of writing. A message that the replica already shows is not
 * shown twice: its id is the operation's id.
 * @param {Message[]} stored
 * @param {Entry[]} entries  of this conversation
 * @param {Me|null} me
 * @param {(blobId: string) => Attachment} attachment
 * @returns {Message[]}
 */
export function overlayMessages(stored, entries, me, attachment) {
  const known = new Set(stored.map((message) => message.id));
  const byHand = new Map(
    entries
      .filter(({ kind, payload }) => kind === 'resolve' && payload.outcome === 'by_hand')
      .filter((entry) => !needsPerson(entry))
      .map(({ payload, written_at_ms }) => [payload.message, written_at_ms]),
  );
  const waiting = entries
    .filter((entry) => ['reply', 'note', 'contact'].includes(entry.kind) && !known.has(entry.op_id))
    .map((entry) => pendingMessage(entry, me, attachment));
  const shown = !byHand.size
    ? stored
    : stored.map((message) =>
        message.event || !byHand.has(message.id)
          ? message
          : {
              ...message,
              event: { what: 'by_hand', from: me?.id ?? null, to: byHand.get(message.id) },
            },
      );
  return waiting.length ? [...shown, ...waiting] : shown;
}

/**
 * @param {Entry} entry
 * @param {Me|null} me
 * @param {(blobId: string) => Attachment} attachment
 * @returns {Message}
 */
function pendingMessage(entry, me, attachment) {
  const contact = entry.kind === 'contact';
  const { by_hand_at_ms } = entry.payload;
  return {
    s: 0,
    id: entry.op_id,
    c: entry.conversation_id,
    position: null,
    d: contact ? 'in' : entry.kind === 'reply' || by_hand_at_ms ? 'out' : 'note',
    by: contact ? null : (me?.id ?? null),
    name: contact ? entry.payload.name || null : (me?.name ?? null),
    text: entry.payload.text ?? '',
    quoted: null,
    written_ms: contact
      ? (entry.payload.happened_at_ms ?? entry.written_at_ms)
      : entry.written_at_ms,
    accepted_ms: null,
    attachments: blobsOf(entry).map((id) => {
      const alt = entry.payload.alts?.[id];
      return alt ? { ...attachment(id), alt } : attachment(id);
    }),
    delivery: null,
    event: by_hand_at_ms ? { what: 'by_hand', from: null, to: null } : null,
    erased: false,
    pending: entry.state,
    entry,
  };
}

/**
 * How far I have read, the outbox included.
 * @param {number} mark
 * @param {Entry[]} entries
 */
export function overlayMark(mark, entries) {
  return entries.reduce(
    (most, entry) =>
      entry.kind === 'read' ? Math.max(most, Number(entry.payload.position) || 0) : most,
    mark,
  );
}
