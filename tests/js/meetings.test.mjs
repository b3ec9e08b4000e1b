/** A meeting as a tablet knows it: what the server said with the outbox over it, and the words in both languages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messages as en } from '../../static/js/i18n/en-meetings.js';
import { messages as nl } from '../../static/js/i18n/nl-meetings.js';
import { meetingsOf, promisesOf, questionsOf, waitingOf } from '../../static/js/meetings/model.js';

const ME = 'anna';
const MEETING = 'evening';
let n = 0;

/** @param {string} kind @param {Record<string, any>} payload @param {any} [more] */
const entry = (kind, payload, more = {}) => ({
  v: 1,
  n: (n += 1),
  op_id: `op-${n}`,
  kind,
  conversation_id: `c-${n}`,
  based_on: null,
  written_at_ms: 1000 + n,
  not_before_ms: 0,
  state: 'waiting',
  result: null,
  attempts: 0,
  last_error: null,
  payload,
  ...more,
});
const asks = (/** @type {string} */ text, /** @type {number} */ asked_at_ms, more = {}) =>
  entry('question', { meeting: MEETING, text, asked_at_ms }, more);
/** @param {Record<string, any>} more */
const stored = (more) =>
  /** @type {any} */ ({
    id: 'q',
    meeting: MEETING,
    c: 'c',
    text: 'Van de server',
    asked_ms: 5,
    source: 'phone',
    moderation: 'waiting',
    reason: '',
    fate: 'open',
    fate_text: '',
    fate_by: null,
    fate_ms: null,
    fate_position: 0,
    support: 0,
    ...more,
  });

test('what was caught here stands among what came from elsewhere, in the order asked', () => {
  const entries = [asks('Derde', 30), asks('Eerste', 1), asks('Elders', 2)];
  entries[2].payload.meeting = 'another';
  const shown = questionsOf([stored({})], entries, MEETING, ME);
  assert.deepEqual(
    shown.map(({ text }) => text),
    ['Eerste', 'Van de server', 'Derde'],
  );
});

test('a question that the server already shows is not shown twice', () => {
  const sent = asks('Een keer', 1, { state: 'accepted' });
  const shown = questionsOf([stored({ id: sent.op_id, text: 'Een keer' })], [sent], MEETING, ME);
  assert.equal(shown.length, 1);
  assert.equal(shown[0]?.pending, undefined);
});

test('ties are broken by id, the same on every tablet', () => {
  const some = [stored({ id: 'b' }), stored({ id: 'a' }), stored({ id: 'c' })];
  const ids = (/** @type {any[]} */ list) => questionsOf(list, [], MEETING, ME).map(({ id }) => id);
  assert.deepEqual(ids(some), ['a', 'b', 'c']);
  assert.deepEqual(ids([...some].reverse()), ['a', 'b', 'c']);
});

test('what was decided here is shown until a person must look at it first', () => {
  const decides = entry('fate', { question: 'q', fate: 'answered', text: 'In maart.' });
  const shown = questionsOf([stored({})], [decides], MEETING, ME);
  assert.deepEqual(
    [shown[0]?.fate, shown[0]?.fate_text, shown[0]?.deciding],
    ['answered', 'In maart.', 'waiting'],
  );
  const held = questionsOf([stored({})], [{ ...decides, state: 'held' }], MEETING, ME);
  assert.deepEqual([held[0]?.fate, held[0]?.deciding], ['open', 'held']);
});

test('a hidden question keeps its reason, a shown one has none', () => {
  const hides = entry('moderate', { question: 'q', state: 'hidden', reason: 'Dubbel' });
  const shows = entry('moderate', { question: 'q', state: 'shown', reason: '' });
  const [after] = questionsOf([stored({})], [hides, shows], MEETING, ME);
  assert.deepEqual([after?.moderation, after?.reason], ['shown', '']);
});

test('what was put right here is read so at once', () => {
  const rewords = entry('reword', { question: 'q', text: 'Wanneer?', agenda: 1 });
  const [after] = questionsOf([stored({})], [rewords], MEETING, ME);
  assert.deepEqual([after?.text, after?.agenda, after?.deciding], ['Wanneer?', 1, 'waiting']);
});

test('a meeting made here can be held before the server knows it', () => {
  const plan = { meeting: MEETING, title: 'Avond', area: 'A', starts_at_ms: 9, agenda: ['Groen'] };
  const made = [
    entry('meeting', plan),
    entry('meeting_state', { meeting: MEETING, state: 'open' }),
    entry('attend', { meeting: MEETING, organisation: 'Wijkraad' }),
    entry('headcount', { meeting: MEETING, heads: 40 }),
  ];
  const [meeting] = meetingsOf([], made, new Set(['A']), () => 'Paddepoel');
  assert.equal(meeting?.area_name, 'Paddepoel');
  assert.equal(meeting?.state, 'open');
  assert.equal(meeting?.headcount, 40);
  assert.deepEqual(
    meeting?.attendees.map(({ organisation }) => organisation),
    ['Wijkraad'],
  );
});

test('a meeting of an area that is no longer hers is gone from the screen', () => {
  const known = /** @type {any} */ ({ id: MEETING, area: 'A', starts_ms: 1 });
  const see = (/** @type {string[]} */ areas) =>
    meetingsOf([known], [], new Set(areas), () => '').length;
  assert.equal(see(['A']), 1);
  assert.equal(see([`meeting:${MEETING}`]), 1);
  assert.equal(see(['B']), 0);
});

test('promises come by their dates, and what is kept is kept', () => {
  const made = entry('promise', {
    meeting: MEETING,
    text: 'De bank',
    owner: 'bram',
    due_at_ms: 50,
  });
  const kept = entry('promise_kept', { promise: made.op_id, kept: true });
  const first = /** @type {any} */ ({ id: 'p', meeting: MEETING, due_ms: 10, kept_ms: null });
  const shown = promisesOf([first], [made, kept], MEETING, (id) => id.toUpperCase());
  assert.deepEqual(
    shown.map(({ id }) => id),
    ['p', made.op_id],
  );
  assert.equal(shown[1]?.owner_name, 'BRAM');
  assert.equal(shown[1]?.kept_ms, kept.written_at_ms);
});

test('what waits of this evening is counted, and of no other', () => {
  const ours = asks('Hier', 1);
  const entries = [
    ours,
    entry('fate', { question: ours.op_id }),
    entry('note', { text: 'Elders' }),
    asks('Klaar', 2, { state: 'accepted' }),
  ];
  assert.equal(waitingOf(entries, MEETING, questionsOf([], entries, MEETING, ME)), 2);
});

test('both languages say the same things', () => {
  assert.deepEqual(Object.keys(en).sort(), Object.keys(nl).sort());
  const names = (/** @type {string} */ text) => [...new Set(text.match(/\{\w+\}/g))].sort();
  for (const [key, text] of Object.entries(nl)) {
    assert.deepEqual(names(/** @type {any} */ (en)[key]), names(text), key);
    assert.equal(/** @type {any} */ (en)[key].split('|').length, text.split('|').length, key);
  }
});
