/** The promises, held against what is true in the database, in the mailboxes and on the residents' pages. */
import { canonical, dumpStore } from '../js/harness.mjs';

export class Broken extends Error {
  /** @param {string} promise @param {string} detail */
  constructor(promise, detail) {
    super(`${promise}: ${detail}`);
    this.promise = promise;
  }
}

const COMPOSED = new Set(['reply', 'note', 'contact', 'question']);
const SENT = new Set(['sent', 'delivered']);

export async function checkAll(history, tools) {
  const { truth } = history;
  if (truth.wrong.length) throw new Broken('feed', `says something else than the tables: ${truth.wrong.slice(0, 3)}`);
  await checkOnce(history, tools);
  await checkTakenBack(history, tools);
  checkTimelines(history);
  checkOrder(history);
  checkHeads(history);
  checkAlerts(history);
  await checkDeliveries(history);
}

const tokenOf = (text) => text?.match(/t\d+n\d+\./)?.[0];

/** Everything stored took effect exactly once, as it was written, or is with the person who wrote it. */
async function checkOnce({ stored, maybe, discarded, perhapsDiscarded, leaving, truth, phones }, { outboxOf }) {
  const entries = new Map();
  for (const phone of phones) {
    for (const entry of await outboxOf(phone)) {
      entries.set(entry.op_id, entry);
      const known = truth.ledger[entry.op_id];
      if (known?.outcome !== entry.state || known.reason !== entry.result.reason) {
        throw new Broken('verdict', `${entry.kind} ${entry.op_id} is ${entry.state} on ${phone.name}, ${known?.outcome} on the server (${entry.result.reason} ${entry.last_error ?? ''})`);
      }
      if (known.reason === 'attachment_missing') throw new Broken('photos', `${entry.op_id} went before its photo`);
    }
  }
  for (const [op_id, { kind }] of Object.entries(truth.ledger)) {
    // The phone itself names what asks to withdraw; it says nothing of its own.
    if (kind !== 'withdraw' && !stored.has(op_id) && !maybe.has(op_id)) throw new Broken('once', `${op_id} was never written`);
  }
  const messages = new Map(Object.values(truth.messages).flat().map((message) => [message.id, message]));
  for (const [op_id, op] of stored) {
    const known = truth.ledger[op_id];
    if (discarded.has(op_id)) {
      if (known?.outcome === 'applied') throw new Broken('taken back', `${op.kind} ${op_id} was discarded and applied`);
      continue;
    }
    if (known?.outcome !== 'applied') {
      // A reading mark that came to nothing is nobody's concern.
      const gone = perhapsDiscarded.has(op_id) || op.kind === 'read';
      if (!entries.has(op_id) && !gone && !leaving.has(op_id)) throw new Broken('not lost', `${op.kind} ${op_id} of ${op.phone.name} is nowhere (${known?.outcome ?? 'unknown to the server'})`);
      continue;
    }
    if (!COMPOSED.has(op.kind)) continue;
    const message = messages.get(op_id);
    if (!message) throw new Broken('not lost', `${op.kind} ${op_id} is in the ledger and took no effect`);
    if (message.text !== op.payload.text || message.c !== op.conversation_id) throw new Broken('as written', op_id);
    if (message.attachments.length !== op.payload.attachments.length) throw new Broken('photos', op_id);
  }
  const said = new Map();
  for (const { id, text } of messages.values()) {
    const token = tokenOf(text);
    if (token && said.has(token)) throw new Broken('once', `"${text}" stands there as ${said.get(token)} and ${id}`);
    said.set(token, id);
  }
}

/** What was withdrawn never takes effect, and of several versions of the same words one does. */
async function checkTakenBack({ stored, maybe, withdrawn, replaced, dismissed, truth, phones }, { outboxOf }) {
  const happened = new Set(Object.values(truth.messages).flat().map((message) => message.id));
  const here = new Map();
  for (const phone of phones) here.set(phone, await outboxOf(phone));
  for (const [op_id, { payload, kind }] of [...stored, ...maybe]) {
    if (!COMPOSED.has(kind) || !happened.has(op_id)) continue;
    const earlier = [...(payload.supersedes ?? []), ...(replaced.get(op_id) ?? [])];
    const both = earlier.find((each) => happened.has(each));
    if (both) throw new Broken('taken back', `${both} took effect beside ${op_id}, which replaces it`);
  }
  for (const { phone, versions } of withdrawn) {
    if (versions.some((op_id) => dismissed.has(op_id))) continue;
    const sent = versions.find((op_id) => happened.has(op_id));
    const told = here.get(phone).some(({ kind, payload }) => kind === 'withdraw' && versions.every((op_id) => payload.op_ids.includes(op_id)));
    if (sent && !told) throw new Broken('taken back', `${sent} was sent after it was dropped, and nobody is told`);
    const unknown = versions.find((op_id) => !truth.ledger[op_id]);
    if (unknown && !told) throw new Broken('taken back', `the server was never asked to refuse ${unknown}`);
  }
}

/** A timeline has no gap and no place taken twice. */
function checkTimelines({ truth, questions }) {
  for (const [id, timeline] of Object.entries(truth.messages)) {
    if (timeline.some((message, i) => message.position !== i + 1)) throw new Broken('order', `${id} has a gap`);
    if (truth.heads[id].position !== timeline.length) throw new Broken('order', `${id} counts wrong`);
  }
  for (const id of questions.keys()) if (!truth.heads[id]) throw new Broken('not lost', `question ${id}`);
}

/** In each conversation what a phone did took effect in the order in which it was done. */
function checkOrder({ stored, leaving, truth }) {
  for (const timeline of Object.values(truth.messages)) {
    const last = new Map();
    for (const { id } of timeline) {
      const op = stored.get(id);
      // What she took back waits no longer: a copy that is still on its way may overtake what she wrote since.
      if (!op || leaving.has(id)) continue;
      if (op.n < (last.get(op.phone) ?? 0)) throw new Broken('order', `${op.kind} ${id} came too early`);
      last.set(op.phone, op.n);
    }
  }
}

/** No reply went out over what its writer had not seen. */
function checkHeads({ stored, maybe, truth }) {
  for (const timeline of Object.values(truth.messages)) {
    for (const message of timeline) {
      const op = stored.get(message.id) ?? maybe.get(message.id);
      if (op?.kind !== 'reply') continue;
      const between = timeline
        .slice(op.based_on, message.position - 1)
        .filter((other) => other.by !== op.person && (other.d === 'in' || other.d === 'out'));
      if (between.length) throw new Broken("over a colleague's head", message.id);
    }
  }
}

/** An alert is stopped once, by the first who did; whoever was told that she did, did. */
function checkAlerts({ stored, maybe, truth }) {
  for (const { id, state, by, stopped } of truth.alerts) {
    if (stopped.length > 1) throw new Broken('acknowledged once', `${id} by ${stopped}`);
    if (state !== 'closed' && (state === 'acknowledged') !== stopped.length > 0) throw new Broken('acknowledged', `${id} is ${state}`);
    if (stopped.length && stopped[0] !== by) throw new Broken('acknowledged', `${id} by ${by}, stopped by ${stopped}`);
  }
  for (const [op_id, { kind, person, conversation_id: c }] of [...stored, ...maybe]) {
    const known = truth.ledger[op_id];
    if (kind !== 'acknowledge' || known?.outcome !== 'applied') continue;
    const first = known.detail?.startsWith('already:') ? known.detail.slice('already:'.length) : person;
    if (known.detail === 'no_alert') continue;
    if (!truth.alerts.some((alert) => alert.c === c && alert.by === first)) throw new Broken('acknowledged', `${op_id} (${known.detail}) and not by ${first}`);
  }
}

/** Every accepted reply is with the resident exactly once, or shown as uncertain or failed. */
async function checkDeliveries({ truth, mails, questions, fetchPage }) {
  const mailed = new Map();
  for (const mail of mails) {
    for (const token of mail.match(/t\d+n\d+\./g) ?? []) mailed.set(token, (mailed.get(token) ?? 0) + 1);
  }
  for (const [id, timeline] of Object.entries(truth.messages)) {
    const onPage = truth.heads[id].channel === 'web';
    const page = onPage && questions.has(id) ? await fetchPage(questions.get(id).secret) : '';
    for (const message of timeline) {
      const token = tokenOf(message.text);
      if (message.d === 'note' && page.includes(token)) throw new Broken('private', `a note stands on the page of ${id}`);
      if (message.d !== 'out') continue;
      const state = message.delivery?.state;
      const times = onPage ? page.split(token).length - 1 : (mailed.get(token) ?? 0);
      // What she said herself, in a group that no program reaches, is written down and never sent.
      const byHand = message.event?.what === 'by_hand';
      const right = byHand ? !state && times === 0 : SENT.has(state) ? times === 1 : state === 'uncertain' ? times <= 1 : state === 'failed' && times === 0;
      if (!right) throw new Broken('delivered once', `${message.id} is ${state ?? 'not on its way'} and there ${times} times (${truth.heads[id].channel})`);
    }
  }
}

/**
 * Every phone shows what is true for its person: the open tabs, and one that is opened afresh.
 * To be asked before the residents open their pages: that marks replies as delivered, which is a change.
 * @returns {Promise<string|null>} where one does not
 */
export async function difference({ phones, truth }, { open }) {
  for (const phone of phones) {
    const fresh = await open(phone);
    await fresh.ready;
    const wanted = expected(truth, phone.person);
    for (const tab of phone.tabs) {
      const where = firstDifference(wanted, await dumpStore(tab.store), tab === fresh ? 'reopened' : 'open');
      if (where) return `${phone.name} ${where}`;
    }
    phone.kill(fresh);
  }
  return null;
}

/** Did nothing happen in the town between these two looks? The feed's head is of all towns together. */
export function isSame({ head: _then, ...before }, { head: _now, ...after }) {
  return JSON.stringify(canonical(before)) === JSON.stringify(canonical(after));
}

function expected(truth, person) {
  const scopes = new Set(truth.scopes[person]);
  const conversations = {};
  for (const [id, head] of Object.entries(truth.heads)) {
    if (!scopes.has(head.area)) continue;
    const unread = head.in_position > (truth.marks[person][id] ?? 0);
    conversations[id] = { head, unread, messages: truth.messages[id] };
  }
  return canonical({ conversations, refs: truth.refs });
}

/** @returns {string|null} */
function firstDifference(wanted, shown, path) {
  if (JSON.stringify(wanted) === JSON.stringify(shown)) return null;
  if (typeof wanted !== 'object' || typeof shown !== 'object' || !wanted || !shown) {
    return `${path}: ${JSON.stringify(wanted)?.slice(0, 200)} is true, ${JSON.stringify(shown)?.slice(0, 200)} is shown`;
  }
  for (const key of new Set([...Object.keys(wanted), ...Object.keys(shown)])) {
    const inside = firstDifference(wanted[key], shown[key], `${path}.${key}`);
    if (inside) return inside;
  }
  return null;
}
