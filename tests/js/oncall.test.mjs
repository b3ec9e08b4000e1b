// Who is on call, what an alert says, and what waits on this phone: read without a network, and never more than is known.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { speak } from '../../static/js/i18n.js';
import { overlayHead } from '../../static/js/overlay.js';
import { awayUntil, byDay, coverage, nextShift, onCall, turns } from '../../static/js/rota.js';
import { alertLines, stepText } from '../../static/js/views/alert.js';
import { sentences } from '../../static/js/views/bar.js';
import { createClocks } from '../../static/js/views/clocks.js';
import { clockOf, createAhead, localMinute, minutesOf } from '../../static/js/views/moments.js';
import { international } from '../../static/js/views/oncall/escalation.js';
import { createReach, reachOf } from '../../static/js/views/reach.js';

const GRONINGEN = 'Europe/Amsterdam';
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const now = Date.parse('2025-11-05T13:02:00Z'); // 14:02 in Groningen
const { t, language, more } = await speak('nl');
await more();

const NAMES = { anna: 'Anna', bram: 'Bram', esther: 'Esther' };
const refs = { shift: [], absence: [] };
const store = {
  me: () => ({ id: 'anna', rights: [] }),
  ref: (kind, id) => (kind === 'person' && NAMES[id] ? { name: NAMES[id] } : null),
  refs: (kind) => refs[kind] ?? [],
  status: () => ({ connection: 'online' }),
  subscribe: () => () => {},
};
/** @type {any} */
const context = {
  t,
  language,
  store,
  now: () => now,
  clocks: createClocks(language, t, () => now, GRONINGEN),
};

const noord = { id: 'noord', areas: ['paddepoel', 'selwerd'] };
const shift = (id, person, from, to, area = null, team = 'noord') => ({
  id,
  team,
  area,
  person,
  from_ms: now + from * HOUR,
  to_ms: now + to * HOUR,
});
const away = (person, from, to) => ({
  id: `away-${person}`,
  person,
  from_ms: now + from * HOUR,
  to_ms: now + to * HOUR,
});

test('a shift for all areas leaves none bare; its end belongs to the next one', () => {
  const rota = [shift('1', 'anna', -2, 1), shift('2', 'bram', 1, 3)];
  const here = coverage(noord, rota, [], now);
  assert.deepEqual(
    here.holders.map(({ shift: of }) => of.person),
    ['anna'],
  );
  assert.deepEqual(here.bare, []);
  assert.deepEqual(
    coverage(noord, rota, [], now + HOUR).holders.map(({ shift: of }) => of.person),
    ['bram'],
  );
  assert.equal(coverage(noord, rota, [], now + 3 * HOUR).bare, 'all');
});

test('a shift for one area leaves the others bare, and covers what lies inside it', () => {
  const rota = [shift('1', 'anna', -1, 1, 'paddepoel')];
  assert.deepEqual(coverage(noord, rota, [], now).bare, ['selwerd']);
  const inside = { id: 'noord', areas: ['zonnelaan', 'selwerd'] };
  const parent = (code) => (code === 'zonnelaan' ? 'paddepoel' : null);
  assert.deepEqual(coverage(inside, rota, [], now, parent).bare, ['selwerd']);
});

test('who is away holds her shift in vain', () => {
  const rota = [shift('1', 'anna', -1, 1)];
  const absences = [away('anna', -3, 2), away('bram', -3, 2)];
  const { holders, bare } = coverage(noord, rota, absences, now);
  assert.equal(holders[0].away_until_ms, now + 2 * HOUR);
  assert.equal(bare, 'all');
  assert.deepEqual(onCall(rota, absences, now), new Set());
  assert.deepEqual(onCall(rota, [], now), new Set(['anna']));
  assert.equal(awayUntil(absences, 'anna', now + 2 * HOUR), null);
});

test('another team, and what was taken off the rota, do not count', () => {
  const other = shift('1', 'bram', -1, 1, null, 'zuid');
  const gone = { ...shift('2', 'anna', -1, 1), gone: true };
  assert.equal(coverage(noord, [other, gone], [], now).bare, 'all');
  assert.deepEqual(onCall([gone], [], now), new Set());
  assert.deepEqual(turns('noord', [other, gone], now), []);
});

test('a time in which nobody has a shift stands in the rota as a hole', () => {
  const rota = [
    shift('late', 'bram', 30, 40),
    shift('now', 'anna', -2, 1),
    shift('over', 'anna', -9, -2),
    shift('long', 'anna', 0, 20),
  ];
  assert.deepEqual(
    turns('noord', rota, now).map((turn) => turn.shift?.id ?? 'hole'),
    ['now', 'long', 'hole', 'late'],
  );
  const hole = turns('noord', rota, now)[2];
  assert.deepEqual([hole.from_ms, hole.to_ms], [now + 20 * HOUR, now + 30 * HOUR]);
});

test('turns stand under the day on which they begin, what runs already under today', () => {
  const { sameDay, day } = createAhead(language, t, () => now, GRONINGEN);
  const rota = [shift('1', 'anna', -20, 2), shift('2', 'bram', 2, 12), shift('3', 'anna', 12, 36)];
  const days = byDay(turns('noord', rota, now), now, sameDay);
  assert.deepEqual(
    days.map(({ day_ms, turns: of }) => [day(day_ms), of.map((turn) => turn.shift?.id)]),
    [
      ['Vandaag, woensdag 5 november', ['1', '2']],
      ['Morgen, donderdag 6 november', ['3']],
    ],
  );
});

test('a new shift follows the last one with its length, or begins at the next whole hour', () => {
  const rota = [shift('1', 'anna', -2, 6), shift('2', 'bram', 6, 18)];
  assert.deepEqual(nextShift('noord', rota, now), {
    from_ms: now + 18 * HOUR,
    to_ms: now + 30 * HOUR,
  });
  const from_ms = Date.parse('2025-11-05T14:00:00Z');
  assert.deepEqual(nextShift('noord', [], now), { from_ms, to_ms: from_ms + 24 * HOUR });
});

test('what is to come is named with its day, unless that is today', () => {
  const { moment } = createAhead(language, t, () => now, GRONINGEN);
  assert.equal(moment(now + HOUR), '15:02');
  assert.equal(moment(now + 12 * HOUR), 'morgen 02:02');
  assert.equal(moment(now + 48 * HOUR), 'vr 7 nov 14:02');
  // An end on the day of its beginning needs no day of its own.
  assert.equal(moment(now + 50 * HOUR, now + 48 * HOUR), '16:02');
});

test('fields of a form and minutes of a day say the same', () => {
  assert.equal(clockOf(1330), '22:10');
  assert.equal(minutesOf('22:10'), 1330);
  assert.ok(Number.isNaN(minutesOf('')));
  assert.equal(new Date(localMinute(now)).getTime(), now);
});

test('a Dutch telephone number is written as the gateway wants it', () => {
  assert.equal(international('06 - 1234 5678'), '+31612345678');
  assert.equal(international('0031 6 12345678'), '+31612345678');
  assert.equal(international('+32 470 12 34 56'), '+32470123456');
  assert.equal(international(''), '');
});

/** @returns {any} */
const alert = (given = {}) => ({
  id: 'a1',
  state: 'open',
  reason: 'words',
  since_ms: now - 3 * MINUTE,
  by: null,
  at_ms: null,
  step: 1,
  woken: [{ person: 'bram', at_ms: now - 3 * MINUTE }],
  next: { kind: 'lead', person: 'esther', at_ms: now + 2 * MINUTE },
  snoozed: [],
  ...given,
});
const lines = (given, online = true) => alertLines(context, alert(given), online);

test('an open alert says since when, who was woken and who is next', () => {
  assert.deepEqual(lines(), [
    'Open sinds 13:59, 3 minuten',
    'Gewekt: Bram om 13:59',
    'Hierna: Esther (teamleider) om 14:04, over 2 minuten',
  ]);
  assert.equal(
    lines({ next: { kind: 'sms', person: null, at_ms: now + MINUTE } }).at(-1),
    'Hierna: een sms om 14:03, over 1 minuut',
  );
});

test('an alert that just opened does not say that nobody will be woken', () => {
  const fresh = { since_ms: now, step: 0, woken: [], next: null };
  assert.deepEqual(lines(fresh), ['Open sinds 14:02', 'Er is nog niemand gewekt']);
  assert.match(lines({ ...fresh, since_ms: now - MINUTE }).at(-1), /niemand meer gewekt/);
});

test('when the next one is overdue, the phone does not claim that she was woken', () => {
  const next = { kind: 'woken', person: 'anna', at_ms: now - 4 * MINUTE };
  assert.match(lines({ next }).at(-1), /dat had om 13:58 gemoeten/);
  assert.match(lines({ next }, false).at(-1), /Zonder verbinding weet deze telefoon niet/);
});

test('what I put off says when I am woken again, not what others put off', () => {
  const until_ms = now + 15 * MINUTE;
  assert.equal(
    lines({ snoozed: [{ person: 'anna', until_ms }] }).at(-1),
    'Jij wordt om 14:17 opnieuw gewekt',
  );
  assert.equal(lines({ snoozed: [{ person: 'bram', until_ms }] }).length, 3);
  assert.equal(lines({ snoozed: [{ person: 'anna', until_ms: now }] }).length, 3);
});

test('a step is a sentence, also one that only a newer server knows', () => {
  const step = { number: 1, at_ms: now, outcome: null, detail: null };
  assert.equal(stepText(context, { ...step, kind: 'woken', person: 'bram' }), 'Bram gewekt');
  assert.equal(
    stepText(context, { ...step, kind: 'acknowledged', person: 'anna' }),
    'Jij pakte het op',
  );
  /** @type {any} */
  const newer = { ...step, kind: 'drone', person: null };
  assert.equal(stepText(context, newer), 'drone');
});

const entry = (kind, payload = {}, given = {}) => ({
  v: 1,
  n: 1,
  op_id: 'op',
  kind,
  conversation_id: 'c',
  based_on: 3,
  payload,
  written_at_ms: now,
  state: 'waiting',
  not_before_ms: 0,
  result: null,
  attempts: 0,
  last_error: null,
  ...given,
});
/** @type {any} */
const head = { id: 'c', assignee: null, activity_ms: 0, topics: [], alert: alert() };
/** @param {any[]} entries @param {any} [of] */
const overlaid = (entries, of = head) => overlayHead(of, entries, 'anna');

test('what I take up is mine on my screen at once, and says that the server does not know', () => {
  const shown = overlaid([entry('acknowledge')]);
  assert.deepEqual(
    [shown.assignee, shown.alert?.state, shown.alert?.by, shown.alert?.at_ms, shown.alert?.pending],
    ['anna', 'acknowledged', 'anna', now, true],
  );
  assert.equal(head.alert.state, 'open');
  const result = { op_id: 'op', outcome: 'applied', duplicate: false, seq: 9 };
  const known = overlaid([entry('acknowledge', {}, { state: 'accepted', result })]);
  assert.equal(known.alert?.pending, false);
});

test('a colleague who was first stays the one who took it up', () => {
  const detail = 'already:bram';
  const result = { op_id: 'op', outcome: 'applied', duplicate: false, seq: 9, detail };
  const late = overlaid([entry('acknowledge', {}, { state: 'accepted', result })]);
  assert.deepEqual([late.alert?.state, late.assignee], ['open', null]);
  const taken = { ...head, assignee: 'bram', alert: alert({ state: 'acknowledged', by: 'bram' }) };
  assert.equal(overlaid([entry('acknowledge')], taken).alert?.by, 'bram');
  assert.equal(overlaid([entry('acknowledge')], { ...head, alert: null }).assignee, null);
});

test('a refused acknowledgement is not shown as one', () => {
  const refused = entry('acknowledge', {}, { state: 'rejected' });
  assert.equal(overlaid([refused]).alert?.state, 'open');
});

test('to put it off changes nothing for colleagues', () => {
  const first = entry('snooze', { minutes: 15 });
  const again = entry('snooze', { minutes: 15 }, { written_at_ms: now + MINUTE });
  const of = { ...head, alert: alert({ snoozed: [{ person: 'bram', until_ms: now }] }) };
  const shown = overlaid([first, again], of);
  assert.equal(shown.alert?.state, 'open');
  assert.deepEqual(shown.alert?.snoozed, [
    { person: 'bram', until_ms: now },
    { person: 'anna', until_ms: now + 16 * MINUTE, pending: true },
  ]);
});

test('a phone is proven by a notification of the last day, and a silent one cannot be woken', () => {
  const device = (state, ago_ms) => ({
    device_id: 'd',
    name: 'Android',
    state,
    proven_ms: ago_ms === null ? null : now - ago_ms,
  });
  assert.equal(reachOf([], now), 'none');
  assert.equal(reachOf([device('silent', HOUR), device('gone', null)], now), 'none');
  assert.equal(reachOf([device('new', null)], now), 'unproven');
  assert.equal(reachOf([device('proven', 27 * HOUR)], now), 'unproven');
  assert.equal(reachOf([device('silent', HOUR), device('proven', HOUR)], now), 'proven');
});

test('the bar warns who is on call and cannot be woken, and who leads her; nobody else', async () => {
  globalThis.document ??= /** @type {any} */ ({ addEventListener() {} });
  const told = {
    devices: [],
    team: [
      { person_id: 'bram', name: 'Bram', reach: /** @type {const} */ ('unproven') },
      { person_id: 'esther', name: 'Esther', reach: /** @type {const} */ ('none') },
    ],
  };
  /** @param {any[]} rota @param {string} [connection] */
  const warned = async (rota, connection = 'online') => {
    refs.shift = rota;
    let drawn = () => {};
    const told_once = new Promise((resolve) => (drawn = () => resolve(null)));
    const here = {
      ...context,
      draw: drawn,
      store: { ...store, status: () => ({ connection }) },
    };
    let asked = 0;
    const reach = createReach(here, {
      health: async () => {
        asked += 1;
        return told;
      },
    });
    if (asked) await told_once;
    return reach.sentences().map(({ text, action }) => [text, action]);
  };
  assert.deepEqual(await warned([]), []);
  assert.deepEqual(await warned([shift('1', 'anna', -1, 1)]), [
    ['Piket: je kunt niet gewekt worden', 'phone'],
  ]);
  assert.deepEqual(await warned([shift('1', 'bram', -1, 1)]), [
    ['Telefoon niet bewezen: Bram (piket)', 'oncall'],
  ]);
  assert.deepEqual(await warned([shift('1', 'anna', -1, 1)], 'offline'), [
    ['Piket: zonder verbinding kan niemand je wekken', undefined],
  ]);
  refs.shift = [];
});

test('in the bar being unreachable comes after no network, before a slow channel', () => {
  /** @type {any} */
  const status = {
    connection: 'offline',
    sinceMs: now,
    lastInStepMs: now,
    progress: null,
    updateReady: true,
  };
  /** @type {any} */
  const concern = { kind: 'look', text: 'Niet te wekken' };
  assert.deepEqual(
    sentences(context, status, [concern]).map(({ text }) => text),
    [
      'Geen verbinding sinds 14:02',
      'Niet te wekken',
      'Nieuwe versie klaar. Tik om te vernieuwen',
      'Gelijk om 14:02',
    ],
  );
});
