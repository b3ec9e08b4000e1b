/** What the screen shows: the replica in memory with the outbox laid over it. */

import { contactHead, overlayHead, overlayMark, overlayMessages } from '../overlay.js';

/** @import { Head } from '../types.js' */
/** @import { Memory } from './memory.js' */
/** @import { Remote } from './remote.js' */
/** @import { Waiting } from './waiting.js' */

/** @typedef {'all'|'mine'|'unassigned'|'urgent'|'waiting'|'closed'} Filter */

/** @type {Filter[]} */
const FILTERS = ['all', 'mine', 'unassigned', 'urgent', 'waiting', 'closed'];

/**
 * @param {object} parts
 * @param {string} parts.personId
 * @param {Memory} parts.memory
 * @param {Waiting} parts.waiting
 * @param {Remote} parts.remote
 */
export function createShowing({ personId, memory, waiting, remote }) {
  /** @type {Head[]|null} */
  let listed = null;
  let listedAt = '';

  const me = () => memory.saved.scope?.me.id ?? personId;

  /** All heads with the outbox laid over them, newest first. @returns {Head[]} */
  function everything() {
    const at = `${memory.changes} ${waiting.changes}`;
    if (listed && at === listedAt) return listed;
    const heads = memory.heads();
    const all = [...heads.values()].map(withOutbox);
    for (const entry of waiting.entries) {
      if (entry.kind === 'contact' && !heads.has(entry.conversation_id))
        all.push(withOutbox(contactHead(entry)));
    }
    listed = all.sort((a, b) => b.activity_ms - a.activity_ms || (a.id < b.id ? 1 : -1));
    listedAt = at;
    return listed;
  }

  /** @param {Head} head @returns {Head} */
  function withOutbox(head) {
    const own = waiting.of(head.id);
    const mark = overlayMark(memory.marks.get(head.id)?.position ?? 0, own);
    return { ...overlayHead(head, own, personId), unread: head.in_position > mark };
  }

  /** @param {string} id @returns {Head|null} */
  function headOf(id) {
    const head = memory.heads().get(id) ?? remote.visited(id)?.head;
    if (head) return withOutbox(head);
    const entry = waiting.of(id).find((each) => each.kind === 'contact');
    return entry ? withOutbox(contactHead(entry)) : null;
  }

  /** One conversation. @param {string} id */
  async function view(id) {
    const here = await memory.messagesOf(id);
    const known = memory.heads().get(id);
    const whole = known ? here.length >= known.position : false;
    const fetched = remote.visited(id)?.messages;
    const stored = !whole && fetched && fetched.length > here.length ? fetched : here;
    const head = headOf(id);
    return {
      head,
      messages: overlayMessages(
        stored,
        waiting.of(id),
        memory.saved.scope?.me ?? null,
        waiting.attachment,
      ),
      complete: head?.number === null || (head !== null && stored.length >= head.position),
      loading: remote.isOpening(id),
    };
  }

  return {
    everything,
    view,

    /** @param {string} id */
    async open(id) {
      const before = await view(id);
      if (before.complete || remote.isOpening(id)) return before;
      await remote.open(id);
      return view(id);
    },

    /**
     * @param {{filter?: Filter, area?: string, channel?: string}} [wanted]
     * @returns {Head[]}
     */
    list({ filter = 'all', area, channel: via } = {}) {
      const mine = me();
      const areas = area ? withParts(memory.refs.get('area'), area) : null;
      return everything().filter(
        (head) =>
          belongs(head, filter, mine) &&
          (!areas || areas.has(head.area)) &&
          (!via || head.channel === via),
      );
    },

    counts() {
      const mine = me();
      const counts = {
        all: 0,
        mine: 0,
        unassigned: 0,
        urgent: 0,
        waiting: 0,
        closed: 0,
        unread: 0,
      };
      for (const head of everything()) {
        for (const filter of FILTERS) if (belongs(head, filter, mine)) counts[filter] += 1;
        if (head.unread && head.status !== 'closed') counts.unread += 1;
      }
      return counts;
    },

    /** Entities of one kind, by name; areas, teams, people, accounts, templates. @param {string} kind @returns {any[]} */
    refs: (kind) => [...(memory.refs.get(singular(kind))?.values() ?? [])].sort(byName),
    /** @param {string} kind @param {string} id @returns {any} */
    ref: (kind, id) => memory.refs.get(singular(kind))?.get(id) ?? null,
  };
}

/** @param {Head} head @param {Filter} filter @param {string} me */
function belongs(head, filter, me) {
  const done = head.status === 'closed';
  switch (filter) {
    case 'mine':
      return !done && head.assignee === me;
    case 'unassigned':
      return !done && head.assignee === null;
    case 'urgent':
      return !done && head.urgent;
    case 'waiting':
      return head.status === 'waiting';
    case 'closed':
      return done;
    default:
      return !done;
  }
}

/**
 * An area and everything in it (a municipality has districts, a district has neighbourhoods).
 * @param {Map<string, any>|undefined} areas
 * @param {string} code
 * @returns {Set<string>}
 */
function withParts(areas, code) {
  const inside = new Set([code]);
  let before;
  do {
    before = inside.size;
    for (const area of areas?.values() ?? []) if (inside.has(area.parent)) inside.add(area.code);
  } while (inside.size > before);
  return inside;
}

/** @param {string} kind */
const singular = (kind) => (kind === 'people' ? 'person' : kind.replace(/s$/, ''));

/** @param {any} a @param {any} b */
const byName = (a, b) =>
  String(a.name ?? a.title ?? a.id).localeCompare(String(b.name ?? b.title ?? b.id));
