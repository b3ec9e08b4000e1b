/**
 * A small model of the server, written from the wire contract: it judges operations once, keeps the feed, and answers
 * push, pull, the first filling, the walk and uploads. One request is one transaction.
 *
 * It does not cover: accounts and delivery, whom an alert wakes and when, templates and teams, full-text search, attachments' bytes, rights by role,
 * length limits, residents' erasure, and the stream (the world pokes by itself).
 */
import { createHash } from 'node:crypto';

const DAY_MS = 86_400_000;
const KEPT_MS = 30 * DAY_MS;
const MESSAGES = new Set(['reply', 'note', 'contact', 'question', 'fate']);

/** Each area holds one meeting, `meeting-A` to `meeting-D`. @param {string} meeting */
const areaOf = (meeting) => meeting.slice(-1);

export class ModelServer {
  /**
   * @param {{now: () => number, people: Record<string, string[]>, rowLimit: number, pageSize: number, windowDays: number,
   *   chance?: (p: number) => boolean}} given
   */
  constructor({ now, people, rowLimit, pageSize, windowDays, chance = () => false }) {
    this.now = now;
    this.rowLimit = rowLimit;
    this.pageSize = pageSize;
    this.windowDays = windowDays;
    this.chance = chance;
    this.people = new Map(
      Object.entries(people).map(([id, areas]) => [
        id,
        { id, areas: new Set(areas), signedOut: false, revoked: false },
      ]),
    );
    this.conversations = new Map();
    this.feed = new Map();
    this.ledger = new Map();
    /** What really happened, kept apart from the ledger so that it can testify against it. */
    this.effects = [];
    /** Every alert there ever was, and who stopped it. @type {{id: string, c: string, acknowledged: {by: string, op_id: string}[]}[]} */
    this.alerts = [];
    /** What was asked at meetings, and who decided last what becomes of it. */
    this.questions = new Map();
    /** Residents who may be one, each known only to who sees both areas. @type {Map<string, {id: string, in: string[], verdict: string}>} */
    this.pairs = new Map(['AA', 'AB', 'BC', 'CD'].map((id) => [id, { id, in: [...id], verdict: 'open' }]));
    this.uploads = new Map();
    this.marks = new Map();
    this.seq = 0;
    this.number = 0;
    this.touched = null;
    this.onPublish = (_seq) => {};
    this.transaction(() => {
      for (const code of ['A', 'B', 'C', 'D']) this.touch(`area:${code}`);
      for (const id of this.people.keys()) this.touch(`person:${id}`);
      for (const id of this.pairs.keys()) this.touch(`same:${id}`);
    });
  }

  // -- transactions and the feed

  transaction(work) {
    this.touched = new Set();
    this.left = [];
    const result = work();
    this.publish();
    return result;
  }

  touch(key) {
    this.touched.add(key);
  }

  publish() {
    const keys = [...this.touched];
    const messages = keys.filter((key) => key.startsWith('m:'));
    const heads = new Set(keys.filter((key) => key.startsWith('c:')));
    for (const key of messages) heads.add(`c:${this.messageOf(key.slice(2)).c}`);
    const others = keys.filter((key) => !/^[mc]:/.test(key));
    for (const { id, scope } of this.left)
      this.put(`x:${id}:${scope}`, scope, id, { c: id, scope });
    for (const key of others) this.putOther(key);
    for (const key of messages) {
      const message = this.messageOf(key.slice(2));
      this.put(key, this.conversations.get(message.c).area, message.c, message);
    }
    for (const key of heads) {
      const conversation = this.conversations.get(key.slice(2));
      this.watch(conversation);
      conversation.number ??= this.number += 1;
      this.put(key, conversation.area, conversation.id, headOf(conversation));
    }
    this.touched = null;
    if (keys.length || this.left.length) this.onPublish(this.seq);
  }

  /** @param {string} key @param {string} scope @param {string} c @param {any} state @param {string} [also] who does not see this as well is not told */
  put(key, scope, c, state, also = scope) {
    this.seq += 1;
    this.feed.set(key, { seq: this.seq, key, scope, also, c, body: { s: this.seq, ...state } });
  }

  putOther(key) {
    const [kind, id, person] = key.split(':');
    if (kind === 'area')
      this.put(key, 'all', '', { code: id, name: `Area ${id}`, kind: 'WK', parent: null });
    else if (kind === 'person')
      this.put(key, 'all', '', { id, name: id, role: 'coordinator', teams: [], active: true });
    else if (kind === 'same') {
      const pair = this.pairs.get(id);
      const [a, b] = pair.in;
      this.put(`same:${id}@${a}+${b}`, a, id, { ...pair }, b);
    } else if (kind === 'r')
      this.put(key, `person:${person}`, id, { c: id, position: this.marks.get(key) });
  }

  messageOf(id) {
    return this.messages.get(id);
  }

  messages = new Map();

  // -- what happens

  scopesOf(person) {
    return new Set([...person.areas, `person:${person.id}`, 'all']);
  }

  residentWrites(id, area, text, { urgent = false } = {}) {
    this.transaction(() => {
      const conversation = this.conversations.get(id) ?? this.start(id, area, 'web');
      conversation.urgent ||= urgent;
      if (conversation.status === 'closed') conversation.status = 'reopened';
      const at = this.now();
      this.append(conversation, {
        id: `in-${id}-${conversation.messages.length + 1}`,
        d: 'in',
        by: null,
        text,
        at,
      });
    });
  }

  start(id, area, channel) {
    const conversation = {
      id,
      number: null,
      area,
      channel,
      status: 'new',
      assignee: null,
      topics: [],
      urgent: false,
      urgent_reason: null,
      alert: null,
      created_ms: this.now(),
      activity_ms: this.now(),
      messages: [],
    };
    this.conversations.set(id, conversation);
    return conversation;
  }

  append(conversation, { id, d, by, text, at, attachments = [], event = null }) {
    const message = {
      id,
      c: conversation.id,
      position: conversation.messages.length + 1,
      d,
      by,
      name: by,
      text,
      quoted: null,
      written_ms: at,
      accepted_ms: this.now(),
      attachments: attachments.map((blob) => ({
        id: blob,
        type: 'image/jpeg',
        name: '',
        bytes: 1,
        width: 1,
        height: 1,
      })),
      delivery: null,
      event,
      erased: false,
    };
    conversation.messages.push(message);
    conversation.activity_ms = this.now();
    this.messages.set(id, message);
    this.touch(`m:${id}`);
    return message;
  }

  /** What is urgent and neither finished nor answered has an alert; after an answer only new words begin another. */
  watch(conversation) {
    const { messages, alert } = conversation;
    const answered = alert && messages.slice(alert.position).some(({ d }) => d === 'out');
    const ended = conversation.status === 'closed' || !conversation.urgent || answered;
    if (alert && ended) {
      conversation.alert = null;
      conversation.calm_until = answered ? messages.length : 0;
    } else if (!alert && !ended && !this.isCalm(conversation)) {
      const id = `alert-${this.alerts.length + 1}`;
      this.alerts.push({ id, c: conversation.id, acknowledged: [] });
      conversation.alert = { id, state: 'open', since_ms: this.now(), by: null, at_ms: null, snoozed: [], position: messages.length };
    }
  }

  isCalm({ calm_until = 0, messages }) {
    return calm_until > 0 && !messages.slice(calm_until).some(({ d }) => d === 'in');
  }

  /** @returns {string|undefined} what it had come to before */
  acknowledge(person, conversation, op_id) {
    const { alert } = conversation;
    if (!alert) return 'no_alert';
    if (alert.state === 'acknowledged') return `already:${alert.by}`;
    conversation.alert = { ...alert, state: 'acknowledged', by: person.id, at_ms: this.now(), snoozed: [] };
    this.alerts.find(({ id }) => id === alert.id).acknowledged.push({ by: person.id, op_id });
    return undefined;
  }

  /** The channel took a reply: an old message changes. */
  deliver(id, state) {
    this.transaction(() => {
      this.messages.get(id).delivery = {
        state,
        sent_ms: this.now(),
        delivered_ms: null,
        error: null,
      };
      this.touch(`m:${id}`);
    });
  }

  close(id) {
    this.transaction(() => {
      this.conversations.get(id).status = 'closed';
      this.touch(`c:${id}`);
    });
  }

  setAreas(personId, areas) {
    this.people.get(personId).areas = new Set(areas);
  }

  // -- operations

  applyBatch(person, ops) {
    const results = [];
    const applied = [];
    this.transaction(() => {
      for (const op of ops) {
        const known = this.ledger.get(op.op_id);
        if (known) {
          results.push({ ...known, duplicate: true });
          continue;
        }
        const result = this.judge(person, op);
        results.push(result);
        applied.push(result);
        this.ledger.set(op.op_id, result);
      }
    });
    for (const result of applied) if (result.outcome === 'applied') result.seq = this.seq;
    return results;
  }

  judge(person, op) {
    const verdict = (outcome, more = {}) => ({
      op_id: op.op_id,
      outcome,
      duplicate: false,
      seq: 0,
      ...more,
    });
    const conversation = this.conversations.get(op.conversation_id);
    const { payload } = op;
    if (op.kind === 'contact') {
      if (conversation) return verdict('rejected', { reason: 'id_reused' });
      if (!person.areas.has(payload.area)) return verdict('rejected', { reason: 'not_allowed' });
    } else if (op.kind === 'question') {
      if (!person.areas.has(areaOf(payload.meeting))) return verdict('rejected', { reason: 'unknown_meeting' });
      if (conversation) return verdict('rejected', { reason: 'id_reused' });
    } else if (op.kind === 'fate') {
      // Whoever holds the meeting decides, wherever its conversation went since.
      const asked = this.questions.get(payload.question);
      if (!asked || asked.c !== op.conversation_id) return verdict('rejected', { reason: 'unknown_question' });
      if (!person.areas.has(areaOf(asked.meeting))) return verdict('rejected', { reason: 'unknown_meeting' });
    } else if (!conversation || !person.areas.has(conversation.area)) {
      return verdict('rejected', { reason: 'unknown_conversation' });
    }
    const earlier = (op.kind === 'withdraw' ? payload.op_ids : payload.supersedes) ?? [];
    const sent = earlier.filter((id) => this.ledger.get(id)?.outcome === 'applied');
    if (sent.length) {
      const reason = 'already_sent';
      if (op.kind === 'withdraw') return verdict('rejected', { reason });
      return verdict('held', { reason, changed: sent.map((id) => this.messages.get(id)) });
    }
    for (const op_id of earlier.filter((id) => !this.ledger.has(id))) {
      this.ledger.set(op_id, { ...verdict('rejected', { reason: 'withdrawn' }), op_id });
    }
    if (op.kind === 'withdraw') return verdict('applied');
    for (const blob of payload.attachments ?? []) {
      const upload = this.uploads.get(blob);
      if (!upload || upload.have < upload.size)
        return verdict('rejected', { reason: 'attachment_missing' });
    }
    if (op.kind === 'same') {
      const pair = this.pairs.get(payload.pair);
      if (!this.knows(person, pair)) return verdict('rejected', { reason: 'pair_gone' });
      if (pair.verdict !== payload.verdict && pair.verdict !== payload.was)
        return verdict('rejected', { reason: 'pair_decided' });
    }
    if (op.kind !== 'contact' && op.kind !== 'question') {
      const reason = this.conflict(person, op, conversation);
      if (reason)
        return verdict('held', { reason, changed: conversation.messages.slice(op.based_on) });
    }
    const detail = this.carryOut(person, op, conversation);
    this.effects.push({
      op_id: op.op_id,
      kind: op.kind,
      c: op.conversation_id,
      person: person.id,
      payload,
      written: op.written_at_ms,
    });
    return verdict('applied', detail ? { detail } : {});
  }

  knows(person, pair) {
    return pair.in.every((area) => person.areas.has(area));
  }

  conflict(person, { kind, based_on, payload }, conversation) {
    if (kind === 'fate') {
      const { by, position } = this.questions.get(payload.question);
      return by && by !== person.id && position > based_on ? 'colleague_decided' : null;
    }
    if (!(
      kind === 'reply' ||
      kind === 'assign' ||
      (kind === 'status' && payload.status === 'closed')
    ))
      return null;
    const since = conversation.messages
      .slice(based_on)
      .filter((message) => message.by !== person.id);
    if (kind === 'reply' && since.some((message) => message.d === 'out'))
      return 'colleague_replied';
    if (kind !== 'assign' && since.some((message) => message.d === 'in')) return 'resident_added';
    const events = since.flatMap((message) => (message.event ? [message.event] : []));
    if (kind === 'reply' && events.some(({ what, to }) => what === 'status' && to === 'closed'))
      return 'closed';
    if (kind === 'assign' && events.some(({ what }) => what === 'assign')) return 'assigned';
    return null;
  }

  carryOut(person, op, conversation) {
    const { payload, op_id: id, written_at_ms: at } = op;
    const event = (what, from, to) =>
      this.append(conversation, {
        id,
        d: 'event',
        by: person.id,
        text: '',
        at,
        event: { what, from, to },
      });
    switch (op.kind) {
      case 'reply':
      case 'note':
        this.append(conversation, {
          id,
          d: op.kind === 'reply' || payload.by_hand_at_ms ? 'out' : 'note',
          by: person.id,
          text: payload.text,
          at,
          attachments: payload.attachments,
        });
        break;
      case 'contact':
        this.append(this.start(op.conversation_id, payload.area, 'contact'), {
          id,
          d: 'in',
          by: person.id,
          text: payload.text,
          at,
        });
        break;
      case 'question': {
        const { text, meeting } = payload;
        const followed = this.start(op.conversation_id, areaOf(meeting), 'contact');
        this.append(followed, { id, d: 'in', by: person.id, text, at });
        this.questions.set(id, { c: op.conversation_id, meeting, by: null, position: 0, asked_at_ms: payload.asked_at_ms });
        break;
      }
      case 'fate':
        this.append(conversation, { id, d: 'note', by: person.id, text: payload.text, at });
        Object.assign(this.questions.get(payload.question), { by: person.id, position: conversation.messages.length });
        break;
      case 'status':
        event('status', conversation.status, payload.status);
        conversation.status = payload.status;
        break;
      case 'assign':
        event('assign', conversation.assignee, payload.person);
        conversation.assignee = payload.person;
        // Who takes it has seen it.
        this.watch(conversation);
        if (payload.person === person.id) this.acknowledge(person, conversation, id);
        break;
      case 'acknowledge': {
        this.watch(conversation);
        const before = this.acknowledge(person, conversation, id);
        if (before) return before;
        event('acknowledged', conversation.assignee, person.id);
        conversation.assignee = person.id;
        break;
      }
      case 'snooze': {
        this.watch(conversation);
        const { alert } = conversation;
        if (alert?.state !== 'open') return alert ? `already:${alert.by}` : 'no_alert';
        const others = alert.snoozed.filter((each) => each.person !== person.id);
        const mine = { person: person.id, until_ms: this.now() + payload.minutes * 60_000 };
        conversation.alert = { ...alert, snoozed: [...others, mine] };
        break;
      }
      case 'area':
        if (payload.area === conversation.area) break;
        event('area', conversation.area, payload.area);
        this.left.push({ id: conversation.id, scope: conversation.area });
        conversation.area = payload.area;
        for (const message of conversation.messages) this.touch(`m:${message.id}`);
        break;
      case 'topics':
        conversation.topics = [...new Set([...conversation.topics, ...payload.add])].filter(
          (topic) => !payload.remove.includes(topic),
        );
        break;
      case 'urgent':
        Object.assign(conversation, { urgent: payload.urgent, urgent_reason: payload.reason });
        break;
      case 'same': {
        const pair = this.pairs.get(payload.pair);
        if (pair.verdict === payload.verdict) return undefined;
        pair.verdict = payload.verdict;
        this.touch(`same:${pair.id}`);
        return undefined;
      }
      case 'read': {
        const key = `r:${conversation.id}:${person.id}`;
        this.marks.set(key, Math.max(this.marks.get(key) ?? 0, payload.position));
        this.touch(key);
        return undefined;
      }
    }
    this.touch(`c:${op.conversation_id}`);
    return undefined;
  }

  // -- answers

  scopeOf(person) {
    const areas = [...person.areas].sort();
    return {
      hash: areas.join('+'),
      areas,
      me: { id: person.id, name: person.id, role: 'coordinator', language: 'nl', rights: [] },
      window_days: this.windowDays,
      municipality: 'Model',
    };
  }

  isInWindow(conversation) {
    return (
      conversation.status !== 'closed' ||
      conversation.activity_ms >= this.now() - this.windowDays * DAY_MS
    );
  }

  /** @returns {{status: number, type: string, body: Uint8Array}} */
  handle(personId, method, url, body) {
    const person = this.people.get(personId);
    if (person.revoked) return problem(401, 'revoked');
    if (person.signedOut) return problem(401, 'signed-out');
    const { pathname, searchParams: query } = new URL(url, 'http://stoep.test');
    const path = pathname.replace('/api/v1', '');
    if (path === '/sync') return this.sync(person, JSON.parse(body));
    if (path === '/replica') return this.replica(person, query);
    if (path.startsWith('/conversations/'))
      return this.one(person, path.slice('/conversations/'.length), query.get('scope'));
    if (path.startsWith('/uploads/'))
      return this.upload(path.slice('/uploads/'.length), query, body);
    return problem(404, 'not-found');
  }

  sync(person, asked) {
    // The server may stop halfway; what has no result stays with the phone.
    const taken = this.chance(0.1)
      ? asked.ops.slice(0, Math.ceil(asked.ops.length / 2))
      : asked.ops;
    const results = this.applyBatch(person, taken);
    const scopes = this.scopesOf(person);
    const rows = [...this.feed.values()]
      .filter((row) => row.seq > asked.after && scopes.has(row.scope) && scopes.has(row.also))
      .sort((a, b) => a.seq - b.seq);
    const limit = Math.min(asked.limit, this.rowLimit);
    const more = rows.length > limit;
    const page = rows.slice(0, limit);
    const to = more ? page[page.length - 1].seq : this.seq;
    const scope = this.scopeOf(person);
    const header = {
      v: 1,
      results,
      to,
      head: this.seq,
      more,
      rows: page.length,
      now_ms: this.now(),
      build: 'model',
    };
    if (asked.scope !== scope.hash) header.scope = scope;
    return frame(header, page.map(rowLine));
  }

  visible(person) {
    return [...this.conversations.values()].filter(
      (conversation) => person.areas.has(conversation.area) && this.isInWindow(conversation),
    );
  }

  replica(person, query) {
    const part = query.get('part');
    const marks = [...this.feed.values()].filter(
      (row) =>
        row.scope === `person:${person.id}` ||
        (row.key.startsWith('same:') && this.knows(person, row.body)),
    );
    if (part === 'personal' && query.get('scope') !== this.scopeOf(person).hash)
      return problem(409, 'scope-changed');
    if (part === 'personal') return frame({ v: 1, rows: marks.length }, marks.map(rowLine));
    if (part === 'first') {
      const all = this.visible(person).sort((a, b) => b.activity_ms - a.activity_ms);
      const shown = all.slice(0, 3);
      const refs = [...this.feed.values()].filter(
        (row) =>
          row.scope === 'all' ||
          (row.scope === `person:${person.id}` && shown.some(({ id }) => id === row.c)),
      );
      const lines = [
        ...refs.map(rowLine),
        ...shown.map((conversation, i) => this.line(conversation, i < 2)),
      ];
      const next = all.length ? Math.max(...all.map(({ number }) => number)) + 1 : null;
      return frame(
        {
          v: 1,
          head: this.seq,
          refs: refs.length,
          conversations: shown.length,
          total: all.length,
          next,
          now_ms: this.now(),
          build: 'model',
          scope: this.scopeOf(person),
        },
        lines,
      );
    }
    if (query.get('scope') !== this.scopeOf(person).hash) return problem(409, 'scope-changed');
    const before = Number(query.get('before'));
    const only = query.get('scopes')?.split(',');
    const found = this.visible(person)
      .filter(
        (conversation) =>
          conversation.number < before && (!only || only.includes(conversation.area)),
      )
      .sort((a, b) => b.number - a.number)
      .slice(0, this.pageSize);
    const next = found.length === this.pageSize ? found[found.length - 1].number : null;
    return frame(
      { v: 1, conversations: found.length, next },
      found.map((conversation) => this.line(conversation, true)),
    );
  }

  line(conversation, whole) {
    const body = (key) => JSON.stringify(this.feed.get(key).body);
    const messages = whole
      ? `[${conversation.messages.map((message) => body(`m:${message.id}`)).join(',')}]`
      : '-';
    return `${conversation.id}\t${conversation.number}\t${body(`c:${conversation.id}`)}\t${messages}\n`;
  }

  one(person, id, scope) {
    if (scope && scope !== this.scopeOf(person).hash) return problem(409, 'scope-changed');
    const conversation = this.conversations.get(id);
    if (!conversation || !person.areas.has(conversation.area)) return problem(404, 'not-found');
    return frame({ v: 1, conversations: 1, next: null }, [this.line(conversation, true)]);
  }

  upload(blob, query, piece) {
    const offset = Number(query.get('offset'));
    const size = Number(query.get('size'));
    const upload = this.uploads.get(blob) ?? { size, have: 0 };
    upload.offered_ms = this.now();
    this.uploads.set(blob, upload);
    const status = offset === upload.have ? 200 : 409;
    if (status === 200) upload.have = Math.min(size, offset + piece.size);
    return {
      status,
      type: status === 200 ? 'application/json' : 'application/problem+json',
      body: Buffer.from(JSON.stringify({ have: upload.have })),
    };
  }

  /** Uploads that nobody offered for a month and no message has are forgotten. */
  sweep() {
    const used = new Set([...this.messages.values()].flatMap(({ attachments }) => attachments.map(({ id }) => id)));
    for (const [blob, { offered_ms }] of this.uploads)
      if (!used.has(blob) && offered_ms < this.now() - KEPT_MS) this.uploads.delete(blob);
  }

  /** What a phone of this person should show, in the harness's own form. */
  expected(personId, past) {
    const person = this.people.get(personId);
    const conversations = {};
    for (const conversation of this.visible(person)) {
      const head = this.feed.get(`c:${conversation.id}`).body;
      if (past(head)) continue;
      const mark = this.marks.get(`r:${conversation.id}:${personId}`) ?? 0;
      conversations[conversation.id] = {
        head,
        unread: head.in_position > mark,
        messages: conversation.messages.map((message) => this.feed.get(`m:${message.id}`).body),
      };
    }
    const refs = {};
    for (const row of this.feed.values()) {
      if (row.key.startsWith('area:')) refs[`areas:${row.body.code}`] = row.body;
      if (row.key.startsWith('person:')) refs[`people:${row.body.id}`] = row.body;
      if (row.key.startsWith('same:') && this.knows(person, row.body)) refs[`same:${row.body.id}`] = row.body;
    }
    return { conversations, refs };
  }
}

function headOf(conversation) {
  const { messages, calm_until, ...rest } = conversation;
  const last = [...messages].reverse().find((message) => message.d !== 'event');
  const incoming = messages.filter((message) => message.d === 'in');
  return {
    ...rest,
    account: null,
    subject: '',
    resident: { id: 'r', name: 'Resident', kind: 'resident', address: null },
    waiting_since_ms: null,
    preview: last?.text ?? '',
    preview_by: last?.d ?? 'in',
    count: messages.length,
    position: messages.length,
    in_position: incoming[incoming.length - 1]?.position ?? 0,
    place: null,
    can_reply: true,
    why_not: null,
    rating: null,
    erased: false,
  };
}

const rowLine = ({ seq, key, c, body }) => `${seq}\t${key}\t${c}\t${JSON.stringify(body)}\n`;

function frame(header, lines) {
  const rest = Buffer.from(lines.join(''));
  const sum = createHash('sha256').update(rest).digest('hex').slice(0, 16);
  return {
    status: 200,
    type: 'application/x-ndjson',
    body: Buffer.concat([Buffer.from(`${JSON.stringify({ ...header, sum })}\n`), rest]),
  };
}

function problem(status, name) {
  return {
    status,
    type: 'application/problem+json',
    body: Buffer.from(JSON.stringify({ type: `/problems/${name}`, title: name, status })),
  };
}

export { MESSAGES };
