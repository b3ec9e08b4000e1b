// The bar and the clocks say what the app knows, and nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { speak } from '../../static/js/i18n.js';
import { sentences } from '../../static/js/views/bar.js';
import { createClocks } from '../../static/js/views/clocks.js';
import { missing } from '../../static/js/views/new.js';
import { fourClocks, remarks } from '../../static/js/views/timeline.js';

const now = Date.parse('2025-11-05T13:02:00Z');
const { t, language } = await speak('nl');
const context = { t, language, clocks: createClocks(language, t, () => now, 'Europe/Amsterdam') };
const calm = {
  connection: 'online',
  sinceMs: null,
  waiting: 0,
  needsPerson: 0,
  lastInStepMs: now,
  syncing: true,
  progress: null,
  storage: '',
  updateReady: false,
  uploads: {},
};
const said = (status) => sentences(context, { ...calm, ...status }).map(({ text }) => text);

test('in step, the bar says when', () => {
  assert.deepEqual(said({}), ['Gelijk om 14:02']);
  assert.deepEqual(said({ lastInStepMs: null }), ['Nog niet gelijk']);
});

test('offline, it says since when, and when the phone was last in step', () => {
  const status = { connection: 'offline', sinceMs: now - 3_600_000 };
  assert.deepEqual(said(status), ['Geen verbinding sinds 13:02', 'Gelijk om 14:02']);
});

test('what a person must do comes before what passes by itself', () => {
  const [first] = sentences(context, {
    ...calm,
    connection: 'signed_out',
    storage: 'full',
    updateReady: true,
  });
  assert.equal(first.action, 'sign_in');
  assert.equal(
    said({ storage: 'full', connection: 'offline' })[0],
    'De opslag van deze telefoon is vol',
  );
  const broken = said({ storage: 'failing', connection: 'online' })[0];
  assert.equal(broken, 'De opslag van deze telefoon hapert');
});

test('a wifi that wants a sign-in is not called offline', () => {
  assert.equal(said({ connection: 'portal' })[0], 'Dit wifi-netwerk vraagt eerst om aan te melden');
});

test('the first fetch says how far it is, never just that it is busy', () => {
  assert.deepEqual(said({ progress: { have: 1200, total: 10_000 } }), [
    'Ophalen: 1.200 van 10.000 gesprekken',
  ]);
});

test('an outgoing message shows four clocks and admits what it cannot know', () => {
  /** @type {any} */
  const message = {
    written_ms: 1,
    accepted_ms: 2,
    delivery: { state: 'sent', sent_ms: 3, delivered_ms: null, error: null },
  };
  assert.deepEqual(
    fourClocks(message).map(({ ms, unknown }) => [ms, unknown]),
    [
      [1, false],
      [2, false],
      [3, false],
      [null, true],
    ],
  );
  /** @type {any} */
  const queued = { written_ms: 1, accepted_ms: null, delivery: null };
  assert.deepEqual(
    fourClocks(queued).map(({ ms, unknown }) => [ms, unknown]),
    [
      [1, false],
      [null, false],
      [null, false],
      [null, false],
    ],
  );
  const unsure = {
    ...message,
    delivery: { ...message.delivery, state: 'uncertain', sent_ms: null },
  };
  assert.deepEqual(
    fourClocks(unsure).map(({ unknown }) => unknown),
    [false, false, true, true],
  );
});

test('a contact note needs a question and an area, and consent for what names a person', () => {
  const fields = { area: 'WK001405' };
  assert.equal(missing(fields, '  ')?.field, 'text');
  assert.equal(missing({}, 'Losse tegel')?.field, 'area');
  assert.equal(missing(fields, 'Losse tegel'), null);
  assert.equal(missing({ ...fields, phone: '06' }, 'Losse tegel')?.field, 'consent');
  assert.equal(missing({ ...fields, phone: '06', consent: true }, 'Losse tegel'), null);
  assert.equal(missing({ ...fields, email: 'noor', consent: true }, 'Losse tegel')?.field, 'email');
});

test('a message says what is missing of it, and who else sent it', async () => {
  const { t: say, more } = await speak('nl');
  await more();
  assert.deepEqual(remarks(say, {}), []);
  assert.deepEqual(remarks(say, { notices: ['text_cut'], from: 'zus@voorbeeld.example' }), [
    'Geschreven vanaf een ander adres: zus@voorbeeld.example',
    'De tekst was te lang en is afgekapt.',
  ]);
});
