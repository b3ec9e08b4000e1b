// How channels are doing, who reads a reply and until when it can be given: said in words, without a screen.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { createChannelsApi } from '../../static/js/channels-api.js';
import { speak } from '../../static/js/i18n.js';
import { messages as en } from '../../static/js/i18n/en-channels.js';
import { messages as nl } from '../../static/js/i18n/nl-channels.js';
import { overlayMessages } from '../../static/js/overlay.js';
import { NoAnswer } from '../../static/js/sync/wire.js';
import { bringsKey } from '../../static/js/views/channels/add.js';
import { blanks, filled, oneLine } from '../../static/js/views/channels/approved.js';
import { isGroup, isPublic, isTooLate, timeLeft } from '../../static/js/views/channels/audience.js';
import { mayBePostedByHand, openInX } from '../../static/js/views/channels/by-hand.js';
import { read } from '../../static/js/views/channels/form.js';
import { channelSentences } from '../../static/js/views/channels/health.js';
import { speakOfChannels, whatWentWrong } from '../../static/js/views/channels/words.js';
import { createClocks } from '../../static/js/views/clocks.js';

const now = Date.parse('2025-11-05T13:02:00Z');
const { t, language, more } = await speak('nl');
await more();
const clocks = createClocks(language, t, () => now, 'Europe/Amsterdam');
const context = { t, clocks, now: () => now };
const HOUR = 3_600_000;

const account = (name, health, rest = {}) => ({
  name,
  enabled: true,
  health: { since_ms: now - 1_320_000, detail: null, ...health },
  ...rest,
});
const said = (...accounts) => channelSentences(context, accounts).map(({ text }) => text);

test('a channel that is down is named, a working one and one that is off are not', () => {
  assert.deepEqual(
    said(
      account('Postbus', { state: 'down' }),
      account('Web', { state: 'working' }),
      account('Oud', { state: 'down' }, { enabled: false }),
    ),
    ['Postbus ligt eruit sinds 13:40'],
  );
});

test('a channel that limits us says until when, and afterwards that it is slow', () => {
  assert.deepEqual(said(account('Plein', { state: 'limited', until_ms: now + 480_000 })), [
    'Plein laat ons wachten tot 14:10',
  ]);
  assert.deepEqual(said(account('Plein', { state: 'limited', until_ms: now - 1 })), [
    'Plein is traag sinds 13:40',
  ]);
});

test('signed out is never called down: somebody has to do something', () => {
  assert.deepEqual(said(account('Plein', { state: 'signed_out' })), [
    'Plein moet opnieuw gekoppeld worden (sinds 13:40)',
  ]);
});

test('which of the two works is said: reading or replying', () => {
  const [unsent, unread] = channelSentences(context, [
    account('Plein', { state: 'cannot_send' }),
    account('Postbus', { state: 'cannot_read' }),
  ]);
  assert.equal(unsent.text, 'Plein neemt sinds 13:40 geen antwoorden aan; lezen lukt wel');
  assert.match(unsent.help, /Antwoorden .* blijven op de server wachten/);
  assert.equal(unread.text, 'Postbus: sinds 13:40 komt er niets binnen; antwoorden gaan wel weg');
  assert.doesNotMatch(unread.help, /Antwoorden .* wachten/);
});

test('a time in which something may have been missed is told for three days', () => {
  const gaps = [[now - 3 * HOUR, now - HOUR]];
  const [sentence] = channelSentences(context, [account('Plein', { state: 'working', gaps })]);
  assert.equal(sentence.text, 'Plein: tussen 11:02 en 13:02 kan er iets zijn gemist');
  assert.equal(sentence.action, 'channels');
  const old = [[now - 100 * HOUR, now - 90 * HOUR]];
  assert.deepEqual(said(account('Plein', { state: 'working', gaps: old })), []);
});

test('what waited until the channel takes no answer is too late, an approved text never is', () => {
  const entry = (/** @type {any} */ rest = {}) => ({ kind: 'reply', payload: {}, result: null, ...rest });
  assert.ok(!isTooLate(entry(), now + 1, now));
  assert.ok(isTooLate(entry(), now, now));
  assert.ok(!isTooLate(entry(), undefined, now));
  assert.ok(!isTooLate(entry({ kind: 'note' }), now, now));
  assert.ok(!isTooLate(entry({ payload: { approved: { name: 'klaar' } } }), now, now));
  // The server's clock counts: this phone still saw a minute.
  assert.ok(isTooLate(entry({ result: { reason: 'window' } }), now + 60_000, now));
});

test('in a closed group everybody reads along; what was overheard elsewhere is no group', () => {
  assert.ok(isGroup({ why_not: 'by_hand', channel: 'contact' }));
  assert.ok(!isGroup({ why_not: 'no_address', channel: 'contact' }));
  assert.ok(!isGroup({ why_not: 'by_hand', channel: /** @type {any} */ ('feed') }));
});

test('what the message says goes before what the channel is like', () => {
  assert.equal(isPublic({ public: false }, { public: true }), false);
  assert.equal(isPublic({ public: true }, { public: false }), true);
  assert.equal(isPublic({}, { public: true }), true);
  assert.equal(isPublic({}, { public: false }), null);
  assert.equal(isPublic({}, null), null);
});

// The server judges the same words by tests/text/test_approved.py.
test('an approved text is filled in as the server does it', () => {
  const text = 'Beste {{1}}, er is een antwoord over {{2}}. Groet, {{1}}';
  assert.deepEqual(blanks(text), ['1', '2']);
  assert.deepEqual(blanks('{{10}}{{9}}{{1}}'), ['1', '9', '10']);
  assert.deepEqual(blanks('{{wijk}} en {{naam}} in {{wijk}}'), ['wijk', 'naam']);
  assert.deepEqual(blanks('Dag.'), []);
  assert.equal(
    filled(text, { 1: 'Fatma', 2: 'de lamp' }),
    'Beste Fatma, er is een antwoord over de lamp. Groet, Fatma',
  );
  assert.equal(filled('<{{1}}|{{2}}>', { 1: '$& {{2}}', 2: '{{1}}' }), '<$& {{2}}|{{1}}>');
  assert.equal(filled(text, { 1: 'Fatma' }), 'Beste Fatma, er is een antwoord over {{2}}. Groet, Fatma');
});

test('what fills a blank becomes one line without rows of spaces, as the channel wants it', () => {
  assert.equal(oneLine('  de\n lamp\t\u2028 bij     de\u0000 brug '), 'de lamp bij de brug');
  assert.equal(oneLine(' \n '), '');
});

test('how long the channel takes a reply is counted down', () => {
  const left = (ms) => timeLeft(t, now + ms, now);
  assert.equal(left(3 * HOUR + 12 * 60_000), 'Nog 3 u 12 min om te antwoorden');
  assert.equal(left(HOUR), 'Nog 1 u 0 min om te antwoorden');
  assert.equal(left(59 * 60_000 + 59_999), 'Nog 59 min om te antwoorden');
  assert.equal(left(-5), 'Nog 0 min om te antwoorden');
  assert.equal(timeLeft(t, undefined, now), null);
});

test('what was typed goes to the server as its fields, and what is not asked stays here', () => {
  const data = new FormData();
  for (const [name, value] of [
    ['name', ' Plein '],
    ['team', 'noord'],
    ['area', ''],
    ['v-server', 'https://plein.example'],
    ['v-other', 'x'],
  ])
    data.set(name, value);
  assert.deepEqual(read({ fields: [{ name: 'server' }, { name: 'token' }] }, data), {
    name: 'Plein',
    team: 'noord',
    area: null,
    values: { server: 'https://plein.example' },
  });
});

test('what went wrong is one sentence, with what the channel said apart', async () => {
  const say = await speakOfChannels('nl');
  const refused = (status, problem) =>
    whatWentWrong(say, new NoAnswer({ kind: 'refused', status, problem }));
  const wrong = refused(409, {
    detail: 'De mailserver weigert de aanmelding.',
    reason: 'password_refused',
    technical: '535 5.7.8',
  });
  assert.equal(wrong.text, 'De mailserver weigert de aanmelding. Er is niets bewaard.');
  assert.equal(wrong.technical, 'Wat het kanaal zei: 535 5.7.8');
  const fields = refused(400, { errors: [{ field: 'token', message: 'Vul ‘Sleutel’ in.' }] });
  assert.equal(fields.fields.get('token'), 'Vul ‘Sleutel’ in.');
  assert.equal(refused(409, { reason: 'known' }).text, nl.known);
  assert.equal(refused(403, {}).text, nl.not_allowed);
  const lost = whatWentWrong(say, new NoAnswer({ kind: 'network' }));
  assert.equal(lost.text, nl.no_answer);
});

test('Dutch and English say the same things with the same blanks, and all of it is used', async () => {
  assert.deepEqual(Object.keys(en), Object.keys(nl));
  const blanks = (text) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
  const folder = new URL('../../static/js/views/', import.meta.url);
  const files = (await readdir(new URL('channels/', folder))).map((name) => `channels/${name}`);
  const source = (
    await Promise.all(['channels.js', ...files].map((name) => readFile(new URL(name, folder), 'utf8')))
  ).join('\n');
  for (const key of Object.keys(nl)) {
    assert.deepEqual(blanks(en[key]), blanks(nl[key]), key);
    assert.equal(en[key].split('|').length, nl[key].split('|').length, key);
    assert.ok(key.startsWith('state_') || source.includes(`'${key}'`), `${key} is not used`);
  }
});

test('what X refuses from a program can be posted there by hand, in answer to the same post', () => {
  const link = 'https://x.com/fatma/status/190';
  const messages = [{ d: 'in', position: 1, link }];
  const reply = (error) => ({
    text: 'Morgen & groet',
    position: 2,
    delivery: { state: 'failed', error },
  });
  const page = 'https://x.com/intent/post?text=Morgen%20%26%20groet&in_reply_to=190';
  for (const error of ['not_invited', 'cost_cap', 'credits_spent', 'link_costs'])
    assert.equal(openInX(reply(error), messages), page);
  assert.equal(openInX(reply('too_long'), messages), null);
  const later = { d: 'in', position: 3, link: link.replace('190', '191') };
  assert.equal(openInX(reply('cost_cap'), [...messages, later]), page);
});

test('what was posted by hand can be written down where Stoep was refused, and only there', () => {
  const may = (state, error) => mayBePostedByHand({ delivery: { state, error } });
  assert.ok(may('failed', 'not_invited'));
  assert.ok(!may('failed', 'too_long'));
  assert.ok(!may('queued', 'not_invited'));
  assert.ok(!mayBePostedByHand({ delivery: null }));
});

test('until the server knows it, the phone shows who posted it by hand', () => {
  const stored = /** @type {any} */ ([
    { id: 'm1', event: null, d: 'out', delivery: { state: 'failed' } },
  ]);
  const entry = (state, outcome = 'by_hand') => ({
    kind: 'resolve',
    state,
    payload: { message: 'm1', outcome },
    written_at_ms: 5,
  });
  const me = /** @type {any} */ ({ id: 'anna' });
  const shown = (...entries) => overlayMessages(stored, /** @type {any} */ (entries), me, /** @type {any} */ (null))[0].event;
  assert.deepEqual(shown(entry('waiting')), { what: 'by_hand', from: 'anna', to: 5 });
  assert.equal(shown(entry('rejected')), null);
  assert.equal(shown(entry('waiting', 'retry')), null);
  assert.equal(stored[0].event, null);
});

test('what was asked in private, or elsewhere, is not answered on a page', () => {
  const reply = { text: 'x', position: 2, delivery: { state: 'failed', error: 'cost_cap' } };
  for (const link of [undefined, 'https://x.com.example/a/status/1', 'https://x.com/a/status/1&b'])
    assert.equal(openInX(reply, [{ d: 'in', position: 1, link }]), null);
  assert.equal(openInX(reply, []), null);
});

test('what came of a consent is asked for until the server says it', async () => {
  let now = 0;
  const answers = [
    () => Promise.reject(new TypeError('the connection is gone')),
    () => Response.json({ pending: true }, { status: 202 }),
    () => new Response('<html>', { status: 502, headers: { 'content-type': 'text/html' } }),
    () => Response.json({ id: 'a1' }, { status: 201 }),
  ];
  const asked = /** @type {any[]} */ ([]);
  const env = /** @type {any} */ ({
    now: () => now,
    // A request is not waited for longer than the timer says; here time only passes between two.
    timer: (/** @type {() => void} */ work, /** @type {number} */ ms) => {
      if (ms < 20_000) queueMicrotask(() => ((now += ms), work()));
      return () => undefined;
    },
    fetch: async (/** @type {string} */ path, /** @type {any} */ init) => {
      asked.push([path, JSON.parse(init.body)]);
      return (answers.shift() ?? (() => Response.json({ pending: true })))();
    },
  });
  const api = createChannelsApi(env);
  assert.deepEqual(await api.consent('00ff', 'geheim'), { id: 'a1' });
  assert.equal(asked.length, 4);
  assert.ok(asked.every(([path, body]) => path.endsWith('/consents') && body.state === '00ff'));

  // Refused is an outcome: it is not asked again.
  const problem = { headers: { 'content-type': 'application/problem+json' }, status: 400 };
  answers.push(() => Response.json({ reason: 'consent_over' }, problem));
  await assert.rejects(api.consent('00ff', 'geheim'), NoAnswer);
  assert.equal(asked.length, 5);

  // And not for ever.
  now = 0;
  await assert.rejects(api.consent('00ff', 'geheim'), NoAnswer);
  assert.ok(now > 90_000 && now < 180_000);
});

test('who typed a key of her own needs no consent on the page of the platform', () => {
  const kind = {
    fields: [
      { name: 'server', kind: 'url', required: true },
      { name: 'token', kind: 'secret', required: false },
    ],
  };
  assert.ok(bringsKey(kind, { values: { server: 'x', token: 'geheim' } }));
  assert.ok(!bringsKey(kind, { values: { server: 'x', token: '' } }));
  assert.ok(!bringsKey(kind, { values: { server: 'x' } }));
});
