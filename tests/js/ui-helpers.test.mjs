// What the screen says and counts, without a screen.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { fill, speak, word } from '../../static/js/i18n.js';
import { messages as enFirst } from '../../static/js/i18n/en.js';
import { messages as enMore } from '../../static/js/i18n/en-more.js';
import { messages as nlFirst } from '../../static/js/i18n/nl.js';
import { messages as nlMore } from '../../static/js/i18n/nl-more.js';
import { match } from '../../static/js/router.js';
import { createClocks, size } from '../../static/js/views/clocks.js';
import { append, count, fillTemplate, openPlace } from '../../static/js/views/counting.js';
import { heldUp } from '../../static/js/views/held-up.js';
import { swipeMeaning } from '../../static/js/views/swipe.js';

const GRONINGEN = 'Europe/Amsterdam';
const at = (iso) => Date.parse(iso);
const nl = { ...nlFirst, ...nlMore };
const en = { ...enFirst, ...enMore };
const now = at('2025-11-05T13:02:00Z');

async function clocks(language) {
  const { t } = await speak(language);
  return createClocks(language, t, () => now, GRONINGEN);
}

test('a limit in characters counts what a person typed, not UTF-16 halves', () => {
  assert.equal(count('Hé 👋🏽', 'characters'), 5);
  assert.equal(count('Hé 👋🏽', 'graphemes'), 4);
  assert.equal(count('Hé 👋🏽', 'bytes'), 12);
  assert.equal(count('', 'bytes'), 0);
});

test('a weighted channel counts a link as 23 and an emoji as two', () => {
  assert.equal(
    count('kijk op https://gemeente.groningen.nl/een/heel/lang/adres/dat/niet/telt', 'weighted'),
    8 + 23,
  );
  assert.equal(count('ja 👩‍👩‍👧', 'weighted'), 3 + 2);
  assert.equal(count('abc #1', 'weighted'), 6);
  assert.equal(count('日本', 'weighted'), 4);
});

test('a template names the resident, or says inwoner when nobody knows the name', () => {
  const names = { fallback: 'inwoner', me: 'Anna' };
  assert.equal(
    fillTemplate('Beste {naam}, groet, {mijn naam}', { ...names, resident: 'Noor $& $1' }),
    'Beste Noor $& $1, groet, Anna',
  );
  assert.equal(fillTemplate('Beste {naam}', { ...names, resident: null }), 'Beste inwoner');
  assert.equal(fillTemplate('{mijn_naam}, {My_Name}', { ...names, resident: null }), 'Anna, Anna');
});

test('what a template leaves open is found, and braces that ask nothing are not', () => {
  const text = 'U hoort het uiterlijk {datum} van {mijn baas}.';
  assert.deepEqual(openPlace(text), { start: 22, end: 29, said: '{datum}' });
  for (const said of ['{}', 'f(x) { return 1; }', '{1}', 'Dank u {', ''])
    assert.equal(openPlace(said), null, said);
});

test('a template never replaces what was typed', () => {
  assert.equal(append('', 'Dank'), 'Dank');
  assert.equal(append('Ik kom langs. ', 'Groet'), 'Ik kom langs.\n\nGroet');
});

test('a list says the time today, yesterday by name, then the day, then the date', async () => {
  const { short } = await clocks('nl');
  assert.equal(short(at('2025-11-05T08:30:00Z')), '09:30');
  assert.equal(short(at('2025-11-04T22:59:00Z')), 'gisteren');
  assert.equal(short(at('2025-11-03T12:00:00Z')), 'ma');
  assert.equal(short(at('2025-10-03T12:00:00Z')), '3 okt');
  assert.equal(short(at('2024-10-03T12:00:00Z')), '3 okt 2024');
});

test('a day begins at midnight in the neighbourhood, not in Greenwich', async () => {
  const { short, sameDay } = await clocks('nl');
  assert.equal(short(at('2025-11-04T23:01:00Z')), '00:01');
  assert.equal(sameDay(at('2025-11-04T22:59:00Z'), at('2025-11-04T23:01:00Z')), false);
});

test('a phone with a clock ahead is never shown a date in the future', async () => {
  const { short, waited } = await clocks('nl');
  assert.equal(short(now + 60_000), '14:03');
  assert.equal(waited(now + 60_000), '');
});

test('waiting is told in hours and then in days', async () => {
  const dutch = await clocks('nl');
  assert.equal(dutch.waited(now - 59 * 60_000), '');
  assert.equal(dutch.waited(now - 3_600_000), '1 uur');
  assert.equal(dutch.waited(now - 25 * 3_600_000), '1 dag');
  assert.equal((await clocks('en')).waited(now - 72 * 3_600_000), '3 days');
});

test('bytes are told in a unit that a person reads', () => {
  assert.equal(size(0, 'nl'), '0 kB');
  assert.equal(size(12_400_000, 'nl'), '12,4 MB');
  assert.equal(size(12_400_000, 'en'), '12.4 MB');
});

test('one and many have their own words', () => {
  assert.equal(fill('{n} wacht|{n} wachten', { n: 1 }), '1 wacht');
  assert.equal(fill('{n} wacht|{n} wachten', { n: 0 }), '0 wachten');
  assert.equal(fill('{who} liet het los', { who: '{who}' }), '{who} liet het los');
});

test('a code that only a newer server knows is shown as it came', async () => {
  const { t } = await speak('nl');
  assert.equal(word(t, 'status', 'waiting'), 'Wacht op inwoner');
  assert.equal(word(t, 'status', 'parked'), 'parked');
});

test('Dutch and English say the same things with the same blanks', () => {
  assert.deepEqual(Object.keys(enFirst), Object.keys(nlFirst));
  assert.deepEqual(Object.keys(enMore), Object.keys(nlMore));
  for (const key of Object.keys(nl)) {
    const blanks = (text) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
    assert.deepEqual(blanks(en[key]), blanks(nl[key]), key);
    assert.equal(en[key].split('|').length, nl[key].split('|').length, key);
  }
});

test('every sentence is used somewhere', async () => {
  const folder = new URL('../../static/js/', import.meta.url);
  const files = (await readdir(folder, { recursive: true })).filter(
    (name) => name.endsWith('.js') && !name.startsWith('i18n/'),
  );
  const source = (
    await Promise.all(files.map((name) => readFile(new URL(name, folder), 'utf8')))
  ).join('\n');
  const groups = [...source.matchAll(/word\(t, '(\w+)'/g)].map(([, group]) => `${group}_`);
  const built = [...source.matchAll(/t\(`(\w+_)\$\{/g)].map(([, prefix]) => prefix);
  const unused = Object.keys(nl).filter(
    (key) =>
      !new RegExp(`['"]${key}['"]`).test(source) &&
      ![...groups, ...built].some((prefix) => key.startsWith(prefix)),
  );
  assert.deepEqual(unused, []);
});

test('addresses of the app are told from those of the server', () => {
  assert.deepEqual(match('/'), { name: 'inbox' });
  assert.deepEqual(match('/c/abc'), { name: 'conversation', id: 'abc' });
  assert.deepEqual(match('/outbox'), { name: 'outbox' });
  assert.equal(match('/sign-in').name, 'missing');
  assert.equal(match('/c/').name, 'missing');
});

test('a swipe means something only when it is meant', () => {
  assert.equal(swipeMeaning(-20), null);
  assert.equal(swipeMeaning(-80), 'take');
  assert.equal(swipeMeaning(80), 'read');
  assert.equal(swipeMeaning(200), 'finish');
});

test('what waits behind an operation that the server chokes on says so, and what does not wait for it is silent', () => {
  const entry = (n, more = {}) => ({
    n,
    op_id: `op${n}`,
    conversation_id: 'lamp',
    kind: 'reply',
    state: 'waiting',
    last_error: null,
    ...more,
  });
  const entries = [
    entry(1),
    entry(2, { last_error: '500' }),
    entry(3),
    entry(4, { kind: 'read' }),
    entry(5, { conversation_id: 'stoep' }),
    entry(6, { state: 'held' }),
  ];
  const told = (all) => all.map((one) => heldUp(all, one));
  assert.deepEqual(told(entries), [null, 'held_up_itself', 'held_up_behind', null, null, null]);
  // Once it is judged, or was only a reading mark, nothing stands in the way.
  assert.deepEqual(told([entry(2, { last_error: '500', state: 'rejected' }), entry(3)]), [null, null]);
  assert.deepEqual(told([entry(2, { last_error: '500', kind: 'read' }), entry(3)])[1], null);
  for (const words of [nl, en])
    for (const key of ['held_up_itself', 'held_up_behind']) assert.ok(words[key], key);
});
