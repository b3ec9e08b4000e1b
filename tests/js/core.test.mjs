import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  emptySaved,
  initial,
  MAX_OPS,
  selectBatch,
  step,
  toOp,
} from '../../static/js/sync/core.js';

const NOW = 1_000_000;
let n = 0;

/** An entry of the outbox. @returns {any} */
function entry(given = {}) {
  n += 1;
  return {
    v: 1,
    n,
    op_id: `op-${n}`,
    kind: 'reply',
    conversation_id: 'c1',
    based_on: 1,
    payload: { text: 'Hallo' },
    written_at_ms: NOW,
    state: 'waiting',
    not_before_ms: 0,
    result: null,
    attempts: 0,
    last_error: null,
    ...given,
  };
}

const ids = (entries) => entries.map((each) => each.op_id);
const batch = (entries, given = {}) =>
  ids(selectBatch(entries, { now: NOW, max: MAX_OPS, aside: {}, uploads: [], ...given }));

/**
 * Feed events to the machine; returns the last state and every effect.
 * @param {any[]} events
 * @param {any} [from]
 */
function play(events, from = initial()) {
  let state = from;
  const effects = [];
  for (const event of events) {
    const [next, made] = step(state, { now: NOW, random: 0.5, onLine: true, ...event });
    state = next;
    effects.push(...made);
  }
  return {
    state,
    effects,
    asked: effects.filter((effect) => effect.do === 'ask').map((effect) => effect.request),
  };
}

const saved = (given = {}) => ({
  ...emptySaved(),
  cursor: 7,
  personal: true,
  scope: { hash: 'h', areas: ['A'] },
  ...given,
});
const loaded = (entries = [], given = {}) => ({
  type: 'loaded',
  saved: saved(given),
  entries,
  uploads: [],
});
const opened = (entries, given) => [
  { type: 'wake', why: 'start' },
  { type: 'locked' },
  loaded(entries, given),
];
const answer = (given = {}) => ({
  header: { v: 1, results: [], to: 9, head: 9, more: false, ...given },
  rows: [],
  lines: [],
});
const fail = (request, kind, more = {}) => ({
  type: 'failed',
  request,
  failure: { kind, ...more },
});

test('operations leave in the order in which they were written', () => {
  const entries = [entry(), entry({ conversation_id: 'c2' }), entry()];
  assert.deepEqual(batch(entries), ids(entries));
});

test('an operation in its undo time holds back the later ones of its conversation only', () => {
  const entries = [
    entry({ not_before_ms: NOW + 1 }),
    entry({ kind: 'status' }),
    entry({ conversation_id: 'c2' }),
  ];
  assert.deepEqual(batch(entries), [entries[2].op_id]);
});

test('an operation waits for its photos, and its conversation waits with it', () => {
  const entries = [entry(), entry(), entry({ conversation_id: 'c2' })];
  assert.deepEqual(batch(entries, { uploads: [{ op_id: entries[0].op_id, blob: 'b' }] }), [
    entries[2].op_id,
  ]);
});

test('a reading mark overtakes, because it commutes with everything', () => {
  const entries = [entry({ not_before_ms: NOW + 1 }), entry({ kind: 'read' })];
  assert.deepEqual(batch(entries), [entries[1].op_id]);
});

test('held and rejected operations hold nothing back and are not sent again', () => {
  const entries = [entry({ state: 'held' }), entry({ state: 'rejected' }), entry()];
  assert.deepEqual(batch(entries), [entries[2].op_id]);
});

test('a batch is bounded in number and in size', () => {
  assert.equal(
    batch(Array.from({ length: 250 }, (_, i) => entry({ conversation_id: `c${i}` }))).length,
    200,
  );
  const large = Array.from({ length: 5 }, () => entry({ payload: { text: 'x'.repeat(200_000) } }));
  assert.deepEqual(batch(large), ids(large.slice(0, 2)));
  assert.equal(batch([entry({ payload: { text: 'x'.repeat(900_000) } })]).length, 1);
});

test('what travels is the envelope without what only this phone knows', () => {
  const { op_id } = entry();
  const sent = toOp(entry({ op_id, attempts: 3, last_error: 'x' }));
  assert.deepEqual(Object.keys(sent).sort(), [
    'based_on',
    'conversation_id',
    'kind',
    'op_id',
    'payload',
    'v',
    'written_at_ms',
  ]);
});

test('an empty phone asks for the first answer before anything else', () => {
  const { asked } = play(opened([entry()], { cursor: null }));
  assert.deepEqual(asked, [{ name: 'first' }]);
});

test('one request pushes and pulls', () => {
  const entries = [entry(), entry()];
  const { asked } = play(opened(entries));
  assert.deepEqual(asked, [{ name: 'sync', ops: entries, after: 7, scope: 'h', limit: 500 }]);
});

test('the next page of a walk is asked for while the last one is stored', () => {
  const walk = { walks: [{ next: 500, scopes: null }] };
  const { state, asked } = play(opened([], walk));
  const pulled = play(
    [
      { type: 'answered', request: asked[0], answer: answer() },
      { type: 'stored', saved: saved(walk) },
      loaded([], walk),
    ],
    state,
  );
  const request = pulled.asked[0];
  assert.deepEqual(request, { name: 'walk', before: 500, scopes: null, scope: 'h' });
  const page = { header: { v: 1, next: 244 }, rows: [], lines: [] };
  const { effects } = play([{ type: 'answered', request, answer: page }], pulled.state);
  assert.deepEqual(
    effects.map((effect) => effect.do),
    ['store', 'ask'],
  );
  assert.equal(effects[1].request.before, 244);
});

test('what a person queues goes before the rest of a walk', () => {
  const walk = { walks: [{ next: 500, scopes: null }] };
  const { state } = play([...opened([], walk)]);
  const request = { name: 'walk', before: 500, scopes: null, scope: 'h' };
  const { effects } = play(
    [
      { type: 'wake', why: 'queued' },
      { type: 'answered', request, answer: { header: { next: 244 }, rows: [], lines: [] } },
    ],
    { ...state, asking: request, pull: false },
  );
  assert.deepEqual(
    effects.map((effect) => effect.do),
    ['store'],
  );
});

for (const kind of ['network', 'portal', 'garbled', 'server']) {
  test(`after "${kind}" the operations stay and are tried again within 1.5 s while she looks`, () => {
    const { state, asked } = play(opened([entry()]));
    let after = { state, effects: [] };
    for (let i = 0; i < 9; i += 1)
      after = play([fail(asked[0], kind)], { ...after.state, asking: asked[0], lock: 'held' });
    const timer = after.effects.filter((effect) => effect.do === 'timer').at(-1);
    assert.ok(timer.at_ms <= NOW + 1_500, String(timer.at_ms - NOW));
    assert.equal(after.state.connection, kind === 'portal' ? 'portal' : 'offline');
    assert.ok(after.effects.every((effect) => effect.do !== 'store'));
  });
}

test('without anything waiting the phone asks less and less often', () => {
  const { state, asked } = play(opened([]));
  let after = { state, effects: [] };
  for (let i = 0; i < 12; i += 1)
    after = play([fail(asked[0], 'network')], { ...after.state, asking: asked[0], lock: 'held' });
  assert.ok(after.effects.at(-1).at_ms >= NOW + 15_000);
});

test('signed out keeps everything and asks for a sign-in; queueing more does not hammer the server', () => {
  const { state, asked } = play(opened([entry()]));
  const { state: out } = play([fail(asked[0], 'signed_out')], state);
  assert.equal(out.connection, 'signed_out');
  assert.deepEqual(play([{ type: 'wake', why: 'queued' }], out).effects, []);
  assert.deepEqual(play([{ type: 'wake', why: 'now' }], out).effects, [{ do: 'lock' }]);
});

test('a revoked device wipes itself and stops', () => {
  const { state, asked } = play(opened([entry()]));
  const { state: gone, effects } = play([fail(asked[0], 'revoked')], state);
  assert.ok(effects.some((effect) => effect.do === 'wipe'));
  assert.deepEqual(play([{ type: 'wake', why: 'now' }], gone).effects, []);
});

test('surely without a network nothing becomes "possibly sent"', () => {
  const { asked } = play(opened([entry()]).map((event) => ({ ...event, onLine: false })));
  assert.deepEqual(asked[0].ops, []);
});

test('an operation that the server chokes on is found by halves and set aside; the others go on', () => {
  const entries = Array.from({ length: 8 }, (_, i) =>
    entry({ conversation_id: `c${i}`, attempts: 1 }),
  );
  const poison = entries[5].op_id;
  let { state, effects } = play(opened(entries));
  let left = entries;
  let complained = null;
  let requests = 0;
  for (let now = NOW; left.length > 1 && requests < 40;) {
    const request = effects.find((effect) => effect.do === 'ask')?.request;
    let event;
    if (request) {
      requests += 1;
      const bad = request.ops.some((op) => op.op_id === poison);
      if (!bad) left = left.filter((each) => !request.ops.includes(each));
      event = bad
        ? fail(request, 'server', { status: 500 })
        : { type: 'answered', request, answer: answer() };
    } else if (effects.some((effect) => effect.do === 'store'))
      event = { type: 'stored', saved: saved() };
    else if (effects.some((effect) => effect.do === 'load')) event = loaded(left);
    else if (effects.some((effect) => effect.do === 'lock')) event = { type: 'locked' };
    else {
      now = effects.find((effect) => effect.do === 'timer').at_ms;
      event = { type: 'wake', why: 'timer' };
    }
    [state, effects] = step(state, { now, random: 0.5, onLine: true, ...event });
    complained ??= effects.find((effect) => effect.do === 'complain')?.op_id;
  }
  assert.deepEqual(ids(left), [poison]);
  assert.equal(complained, poison);
});

test('a server put back to an earlier state makes the phone begin anew', () => {
  const { state, asked } = play(opened([]));
  const { effects } = play(
    [{ type: 'answered', request: asked[0], answer: answer({ reset: true, to: 0 }) }],
    state,
  );
  assert.deepEqual(effects, [{ do: 'reset' }]);
});

test('when the phone is full the cursor stays, room is made once, and nothing more is asked', () => {
  const walk = { walks: [{ next: 9, scopes: null }] };
  const { state } = play(opened([], walk));
  const { state: full, effects } = play([{ type: 'broke', quota: true }], {
    ...state,
    asking: null,
    storing: true,
  });
  assert.equal(full.storage, 'full');
  assert.deepEqual(
    effects.map((effect) => effect.do),
    ['make_room', 'unlock', 'timer'],
  );
});

test('a poke for what is already here costs no request', () => {
  const { state } = play([{ type: 'wake', why: 'start' }, { type: 'locked' }, loaded()]);
  assert.deepEqual(
    play([{ type: 'poke', seq: 7 }], { ...state, lock: 'none', asking: null, pull: false }).effects,
    [],
  );
});

test('the machine never changes the state it was given', () => {
  const frozen = Object.freeze({ ...initial() });
  assert.doesNotThrow(() =>
    step(frozen, { type: 'wake', why: 'start', now: NOW, random: 0, onLine: true }),
  );
});

test('a disk that fails while something is claimed is not a network that is down', () => {
  const given = { now: NOW, random: 0, onLine: true };
  const one = entry();
  const state = Object.assign(initial(), {
    connection: 'online',
    lock: 'held',
    saved: emptySaved(),
    entries: [one],
    asking: { name: 'sync', ops: [one], after: 0, scope: '' },
  });
  /** @returns {any} */
  const failed = (quota) => ({
    ...given,
    type: 'failed',
    request: state.asking,
    failure: { kind: 'storage', quota },
  });
  const [full, effects] = step(state, failed(true));
  assert.equal(full.storage, 'full');
  assert.equal(full.connection, 'online');
  assert.ok(effects.some((effect) => effect.do === 'make_room'));
  assert.equal(full.asking, null);
  assert.ok(full.retry_at_ms > NOW);
  const [broken] = step(state, failed(false));
  assert.equal(broken.storage, 'failing');
  assert.equal(broken.connection, 'online');
  const offline = { ...failed(false), failure: { kind: 'network' } };
  assert.equal(step(state, offline)[0].connection, 'offline');
});
