// What a push shows, and when that is over: nothing hostile gets through, no alarm is taken away by old news.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compose,
  isPast,
  QUIET_MS,
  readMark,
  readPush,
  urgentUnread,
} from '../../static/js/notices.js';
import { standOf } from '../../static/js/push.js';
import { browserOf } from '../../static/js/subscription.js';
import { isAppRoute } from '../../static/js/sw/assets.js';
import { wordsIn } from '../../static/js/sw/words.js';
import { ago, whereDenied } from '../../static/js/views/push.js';

const now = Date.parse('2026-11-02T09:00:00Z');
const ID = '019d3c2e-7b1a-7c3d-8e4f-5a6b7c8d9e0f';
const PUSH = '019d3c2e-7b1a-7c3d-8e4f-5a6b7c8d9e10';
const say = wordsIn('nl');

const wire = (changes = {}) => ({
  web_push: 8030,
  notification: {
    title: 'Spoed in Paddepoel',
    body: 'Reden: gevaar',
    navigate: `https://stoep.example/c/${ID}`,
    data: { v: 1, push: PUSH, kind: 'urgent', c: ID, report: 'abc_-9', ...changes },
  },
  app_badge: 3,
});
/** @returns {any} */
const head = (changes = {}) => ({
  id: ID,
  s: 40,
  position: 2,
  status: 'new',
  urgent: true,
  unread: true,
  alert: { state: 'open', by: null },
  ...changes,
});
const shown = (given, known = {}) =>
  compose(
    readPush(given, isAppRoute),
    { head: null, fresh: false, person: 'anna', now, ...known },
    say,
  );

test('an urgent push is an alarm with its two actions, in the words of the server', () => {
  const { title, options } = shown(wire(), { head: head(), fresh: true });
  assert.equal(title, 'Spoed in Paddepoel');
  assert.equal(options.body, 'Reden: gevaar');
  assert.equal(options.tag, ID);
  assert.deepEqual(
    [options.silent, options.renotify, options.requireInteraction],
    [false, true, true],
  );
  assert.deepEqual(
    options.actions.map(({ action }) => action),
    ['acknowledge', 'snooze'],
  );
  assert.deepEqual(
    { ...options.data },
    {
      v: 1,
      what: 'alarm',
      c: ID,
      person: 'anna',
      path: `/c/${ID}`,
      position: 2,
      s: 40,
      fresh: true,
      at_ms: now,
    },
  );
});

test('what a colleague took up meanwhile is said quietly, and without a fetch it stays an alarm', () => {
  for (const changes of [
    { alert: { state: 'acknowledged', by: 'bram' } },
    { alert: null },
    { status: 'closed' },
    { urgent: false },
  ]) {
    const quiet = shown(wire(), { head: head(changes), fresh: true });
    assert.equal(quiet.options.data.what, 'quiet');
    assert.equal(quiet.options.silent, true);
    assert.equal(quiet.title, 'Spoed is al opgepakt');
    assert.equal(shown(wire(), { head: head(changes) }).options.data.what, 'alarm');
  }
});

test('something is shown for anything that comes, and nothing of it is trusted', () => {
  const hostile = [
    null,
    undefined,
    [],
    'x',
    7,
    {},
    { notification: 'x' },
    { notification: { title: {}, data: [] } },
    { v: 1, kind: 'constructor' },
    { ...wire({ kind: 'launch' }) },
    { ...wire({ v: 2 }) },
  ];
  for (const given of hostile) {
    const { title, options } = shown(given);
    assert.equal(title, 'Nieuws in Stoep');
    assert.equal(options.body, 'Open Stoep om te zien wat het is.');
    assert.equal(options.data.path, '/');
    assert.deepEqual([options.silent, options.actions], [false, []]);
  }
});

test('ids, tokens, addresses and lengths are checked one by one', () => {
  const read = (given) => readPush(given, isAppRoute);
  assert.equal(read(wire({ c: '../../sign-in' })).conversation, null);
  assert.equal(read(wire({ c: '../../sign-in' })).path, `/c/${ID}`);
  assert.equal(read(wire({ report: 'a b' })).proof, null);
  assert.equal(read(wire({ push: 'x' })).proof, null);
  assert.deepEqual(read(wire()).proof, { push: PUSH, report: 'abc_-9' });
  assert.equal(read(wire()).badge, 3);
  assert.equal(read({ ...wire(), app_badge: -1 }).badge, null);
  assert.equal(read({ ...wire(), app_badge: '3' }).badge, null);
  for (const [navigate, path] of [
    ['https://evil.example/sign-in', '/'],
    ['javascript:alert(1)', '/'],
    ['https://evil.example/phone', '/phone'], // the path alone, on our own origin
    ['::::', '/'],
  ]) {
    const given = { notification: { title: 'x', navigate, data: { v: 1, kind: 'warning' } } };
    assert.equal(read(given).path, path, navigate);
  }
  const long = wire();
  long.notification.title = 'a\n'.repeat(5_000);
  assert.equal(read(long).title.length, 120);
});

test('a test and a closing are quiet; without a person there is nothing to act on', () => {
  for (const kind of ['test', 'closed']) {
    const { options } = shown(wire({ kind }));
    assert.deepEqual([options.silent, options.data.what], [true, 'quiet']);
  }
  assert.deepEqual(shown(wire(), { person: null }).options.actions, []);
});

test('an alarm goes when newer news says that it is over, and not for older news', () => {
  const taken = { alert: { state: 'acknowledged', by: 'bram' } };
  const mark = readMark(shown(wire(), { head: head(), fresh: true }).options.data);
  assert.equal(isPast(mark, null, now, 0), false);
  assert.equal(isPast(mark, head(), now, 0), false);
  assert.equal(isPast(mark, head({ ...taken, s: 41 }), now, 0), true);
  assert.equal(isPast(mark, head({ ...taken, s: 39 }), now, 0), false);
  assert.equal(isPast(mark, head({ alert: null, urgent: false, s: 39 }), now, 0), false);

  const unseen = readMark(shown(wire()).options.data);
  // Not urgent *yet*: the phone has not heard of the alert that woke it.
  assert.equal(isPast(unseen, head({ alert: null, urgent: false, s: 39 }), now, 0), false);
  assert.equal(isPast(unseen, head({ ...taken, s: 41 }), now, 0), true);
});

test('opened again, the alarm stays whatever the phone knew from before', () => {
  const taken = { alert: { state: 'acknowledged', by: 'anna' } };
  const again = readMark(shown(wire(), { s: 40 }).options.data);
  assert.equal(isPast(again, head({ ...taken, s: 40 }), now + 1, now + 1), false);
  assert.equal(isPast(again, head({ ...taken, s: 43 }), now + 1, now + 1), true);
});

test('an alarm goes when its conversation went to areas that are not hers', () => {
  const mark = readMark(shown(wire(), { head: head(), fresh: true }).options.data);
  // Before everything is there, that it is not there says nothing.
  assert.equal(isPast(mark, null, now + 1, 0), false);
  assert.equal(isPast(mark, null, now + 1, now + 1), true);
  const neverSeen = readMark(shown(wire()).options.data);
  assert.equal(isPast(neverSeen, null, now + 1, now + 1), false);
  assert.equal(isPast(neverSeen, null, now + 61_000, now + 60_001), true);
});

test('a new message in what she took is told without an alarm, until she has read it', () => {
  const { title, options } = shown(wire({ kind: 'news' }), { head: head(), fresh: true });
  assert.equal(title, 'Spoed in Paddepoel');
  assert.deepEqual(
    [options.silent, options.renotify, options.requireInteraction, options.actions],
    [false, true, false, []],
  );
  assert.equal(options.data.path, `/c/${ID}`);
  const mark = readMark(options.data);
  assert.equal(isPast(mark, head(), now, now), false);
  assert.equal(isPast(mark, head({ unread: false }), now, 0), true);
  assert.equal(isPast(mark, head({ unread: false, s: 39 }), now, 0), false);
  assert.equal(isPast(mark, head({ status: 'closed', s: 41 }), now, 0), true);
  const unseen = readMark(shown(wire({ kind: 'news' })).options.data);
  // What was read before this came in.
  assert.equal(isPast(unseen, head({ unread: false }), now, now), false);
  assert.equal(isPast(unseen, head({ unread: false }), now + 1, now + 1), true);
});

test('what only says how things stand goes by itself; what waits goes when it was sent', () => {
  const quiet = readMark(shown(wire({ kind: 'test' })).options.data);
  assert.equal(isPast(quiet, null, now + QUIET_MS - 1, 0), false);
  assert.equal(isPast(quiet, null, now + QUIET_MS, 0), true);
  /** @type {any} */
  const queued = { ...readMark(shown(wire()).options.data), what: 'queued' };
  assert.equal(isPast(queued, head({ pending: true }), now, 0), false);
  assert.equal(isPast(queued, head(), now, 0), true);
});

test('the badge counts what is urgent, open and not yet seen', () => {
  const all = [
    head(),
    head({ unread: false }),
    head({ urgent: false }),
    head({ status: 'closed' }),
  ];
  assert.equal(urgentUnread(all), 1);
});

test('where the phone stands is what is known, never a guess', () => {
  const fine = {
    supported: true,
    installed: false,
    platform: 'android',
    permission: 'granted',
    subscribed: true,
    wanted: true,
    health: { state: 'proven', proven_ms: now - 60_000 },
    now,
  };
  const stand = (changes) => standOf({ ...fine, ...changes });
  assert.equal(stand({}), 'proven');
  assert.equal(stand({ health: { state: 'proven', proven_ms: now - 27 * 3_600_000 } }), 'unproven');
  assert.equal(stand({ health: { state: 'new', proven_ms: null } }), 'unproven');
  assert.equal(stand({ health: { state: 'silent', proven_ms: now } }), 'silent');
  assert.equal(stand({ health: { state: 'gone', proven_ms: now } }), 'gone');
  assert.equal(stand({ health: null }), 'gone');
  assert.equal(stand({ health: undefined }), 'unknown');
  assert.equal(stand({ subscribed: false }), 'gone');
  assert.equal(stand({ wanted: false }), 'off');
  assert.equal(stand({ permission: 'default' }), 'off');
  assert.equal(stand({ permission: 'denied' }), 'denied');
  assert.equal(stand({ supported: false }), 'unsupported');
  assert.equal(stand({ supported: false, platform: 'ios' }), 'install');
  assert.equal(stand({ supported: false, platform: 'ios', installed: true }), 'unsupported');
});

test('browsers are told apart, so that the way to the switch is the right one', () => {
  const iphone =
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Mobile/15E148 Safari/604.1';
  const ipad =
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15';
  const android =
    'Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36';
  const where = (userAgent, maxTouchPoints = 0) => {
    const seen = browserOf({ userAgent, maxTouchPoints });
    return [seen.browser, seen.platform, whereDenied(seen)].join(' ');
  };
  assert.equal(where(iphone, 5), 'safari ios ios');
  assert.equal(where(ipad, 5), 'safari ios ios');
  assert.equal(where(ipad), 'safari desktop safari');
  assert.equal(where(android), 'chrome android android');
  assert.equal(where(`${android} EdgA/140.0`), 'edge android android');
  assert.equal(where(`${android} SamsungBrowser/28.0`), 'samsung android android');
  assert.equal(
    where('Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0'),
    'firefox android android_firefox',
  );
  assert.equal(where('curl/8'), 'other desktop desktop');
});

test('how long ago is said in whole units', () => {
  assert.equal(ago('nl', now - 20_000, now, 'zojuist'), 'zojuist');
  assert.equal(ago('nl', now - 200_000, now, 'zojuist'), '3 minuten geleden');
  assert.equal(ago('en', now - 7_300_000, now, 'just now'), '2 hours ago');
  assert.equal(ago('nl', now + 5_000, now, 'zojuist'), 'zojuist');
});
