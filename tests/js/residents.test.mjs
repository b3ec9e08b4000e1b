/** Residents who may be one: what the server said with the outbox over it, and what of it stays on which phone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  apartFrom,
  familyOf,
  pairsOf,
  saying,
  suggestionsOf,
  written,
} from '../../static/js/residents.js';
import {
  ALL,
  loadHeads,
  storeFirst,
  storePersonal,
  storePull,
} from '../../static/js/sync/replica.js';
import { createMemory } from '../../static/js/store/memory.js';
import { createMemoryDisk } from './disk.mjs';

const AREAS = new Set(['noord', 'zuid']);
/** @param {string} id @param {string} a @param {string} b @param {any} [more] @returns {any} */
const pair = (id, a, b, more = {}) => ({
  id,
  a,
  b,
  a_c: `c-${a}`,
  b_c: `c-${b}`,
  in: ['noord', 'noord'],
  verdict: 'open',
  why: 'email',
  value: 'jan@voorbeeld.example',
  by: null,
  at_ms: null,
  ...more,
});
/** @param {string} id @param {string} verdict @param {string} [state] @returns {any} */
const entry = (id, verdict, state = 'waiting') => ({
  kind: 'same',
  state,
  payload: { pair: id, verdict },
});
const verdicts = (/** @type {any[]} */ pairs) => pairs.map((one) => one.verdict);

test('what she said stands on the screen before the server knows it, and what was refused does not', () => {
  const stored = [pair('p', 'a', 'b')];
  assert.deepEqual(verdicts(pairsOf(stored, [], AREAS)), ['open']);
  const [shown] = pairsOf(stored, [entry('p', 'same')], AREAS);
  assert.deepEqual([shown.verdict, shown.pending], ['same', true]);
  assert.deepEqual(verdicts(pairsOf(stored, [entry('p', 'same'), entry('p', 'open')], AREAS)), [
    'open',
  ]);
  assert.deepEqual(verdicts(pairsOf(stored, [entry('p', 'same', 'rejected')], AREAS)), ['open']);
  const [accepted] = pairsOf(stored, [entry('p', 'same', 'accepted')], AREAS);
  assert.deepEqual([accepted.verdict, accepted.pending], ['same', false]);
  assert.deepEqual(pairsOf(stored, [entry('unknown', 'same')], AREAS).length, 1);
});

test('who does not see both areas any more knows of no pair', () => {
  const across = pair('p', 'a', 'b', { in: ['noord', 'zuid'] });
  assert.equal(pairsOf([across], [], AREAS).length, 1);
  assert.equal(pairsOf([across], [], new Set(['noord'])).length, 0);
  assert.equal(pairsOf([pair('p', 'a', 'b', { gone: true })], [], AREAS).length, 0);
});

test('who is one with whom goes on through others, and ends when a pair is undone', () => {
  const joined = [
    pair('1', 'a', 'b', { verdict: 'same' }),
    pair('2', 'c', 'b', { verdict: 'same' }),
    pair('3', 'c', 'd'),
  ];
  assert.deepEqual([...familyOf('a', joined).keys()], ['a', 'b', 'c']);
  assert.equal(familyOf('a', joined).get('c')?.id, '2');
  assert.deepEqual([...familyOf('d', joined).keys()], ['d']);
  const undone = pairsOf(joined, [entry('1', 'open')], AREAS);
  assert.deepEqual([...familyOf('a', undone).keys()], ['a']);
  assert.deepEqual([...familyOf('b', undone).keys()], ['b', 'c']);
});

test('the strongest reason is asked first, and nothing that was answered already', () => {
  const all = [
    pair('1', 'a', 'b', { why: 'name' }),
    pair('2', 'c', 'a', { why: 'phone' }),
    pair('3', 'a', 'd', { verdict: 'different' }),
    pair('4', 'x', 'y'),
  ];
  assert.deepEqual(
    suggestionsOf('a', all).map(({ id }) => id),
    ['2', '1'],
  );
  assert.deepEqual(
    apartFrom('a', all).map(({ id }) => id),
    ['3'],
  );
  // b turns out to be d, whom somebody kept apart from a.
  const more = [...all, pair('5', 'b', 'd', { verdict: 'same' })];
  assert.deepEqual(
    suggestionsOf('a', more).map(({ id }) => id),
    ['2'],
  );
  // c is b, who is asked about no more once a is one with c.
  const rest = [
    pair('1', 'a', 'b', { why: 'name' }),
    pair('2', 'c', 'a', { verdict: 'same' }),
    pair('6', 'b', 'c', { verdict: 'same' }),
  ];
  assert.deepEqual(suggestionsOf('a', rest), []);
});

test('an answer names everybody whom she saw, so that nobody is joined unseen', () => {
  const all = [pair('1', 'a', 'b'), pair('2', 'b', 'c', { verdict: 'same' })];
  const said = saying(all[0], 'same', all);
  assert.deepEqual(
    { ...said, among: said.among.sort() },
    {
      pair: '1',
      verdict: 'same',
      was: 'open',
      among: ['a', 'b', 'c'],
    },
  );
  assert.equal(saying(all[1], 'open', all).was, 'same');
});

test('a number is shown as it is dialled', () => {
  assert.equal(written('phone', '31612345678'), '+31612345678');
  assert.equal(written('email', 'jan@voorbeeld.example'), 'jan@voorbeeld.example');
});

const row = (/** @type {number} */ s, /** @type {string} */ places, more = {}) => ({
  s,
  key: `same:p@${places}`,
  c: 'p',
  body: JSON.stringify({
    s,
    ...pair('p', 'a', 'b', { in: places.split('+'), ...more }),
  }),
});
const scope = (/** @type {string[]} */ areas) => ({
  hash: areas.join(),
  areas,
  me: { id: 'anna' },
});
const quiet = /** @type {any} */ ({
  tell() {},
  isClosed: () => false,
  unlessClosed() {},
});
const known = async (/** @type {any} */ disk) => {
  const memory = createMemory(disk, quiet);
  await memory.readEverything();
  return pairsOf([...(memory.refs.get('same')?.values() ?? [])], [], AREAS).map((one) =>
    one.in.join('+'),
  );
};

test('an area that she loses takes its pairs off the phone, and only those', async () => {
  const disk = /** @type {any} */ (createMemoryDisk(ALL));
  const header = { head: 9, next: null, scope: scope(['noord', 'zuid']) };
  await storeFirst(disk, /** @type {any} */ ({ header, rows: [], lines: [] }), 1);
  const both = [row(5, 'noord+noord'), row(6, 'zuid+noord')];
  await storePersonal(disk, /** @type {any} */ ({ header: {}, rows: both, lines: [] }));
  assert.deepEqual(await known(disk), ['zuid+noord']);
  const narrowed = { to: 20, scope: scope(['noord']) };
  await storePull(disk, /** @type {any} */ ({ header: narrowed, rows: [], lines: [] }), 2);
  assert.deepEqual(await known(disk), ['noord+noord']);
  const { rows } = await loadHeads(disk);
  assert.deepEqual(
    rows.map(({ k }) => k),
    ['same:p@noord+noord'],
  );
});

test('a pair that left one place and is still known in another stays', async () => {
  const disk = /** @type {any} */ (createMemoryDisk(ALL));
  const header = { head: 9, next: null, scope: scope(['noord', 'zuid']) };
  await storeFirst(
    disk,
    /** @type {any} */ ({ header, rows: [row(5, 'noord+noord')], lines: [] }),
    1,
  );
  const moved = [row(10, 'noord+noord', { gone: true }), row(11, 'zuid+noord')];
  await storePull(disk, /** @type {any} */ ({ header: { to: 11 }, rows: moved, lines: [] }), 2);
  assert.deepEqual(await known(disk), ['zuid+noord']);
  const erased = [row(12, 'zuid+noord', { gone: true })];
  await storePull(disk, /** @type {any} */ ({ header: { to: 12 }, rows: erased, lines: [] }), 3);
  assert.deepEqual(await known(disk), []);
});
