/** The phone over IndexedDB: what is on the disk after each step, and what a person sees of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import * as api from '../../static/js/api.js';
import { browserEnv } from '../../static/js/connection.js';
import { openReplica, openOutbox } from '../../static/js/db.js';
import * as outbox from '../../static/js/outbox.js';
import * as replica from '../../static/js/sync/replica.js';
import { createMemory } from '../../static/js/store/memory.js';
import { createTelling } from '../../static/js/store/telling.js';
import { PossiblySent } from '../../static/js/taking-back.js';
import { altsOf } from '../../static/js/views/counting.js';
import { openStore, readDevice, writeDevice } from '../../static/js/store.js';
import { IDBFactory } from './deps.mjs';
import { ModelServer } from './sim/server.mjs';

const DAY_MS = 86_400_000;

/** A server with some conversations in two areas, and a fetch that reaches it. */
function municipality({ conversations = 6, pageSize = 4, rowLimit = 500 } = {}) {
  const clock = { now_ms: Date.UTC(2026, 2, 2, 9) };
  const server = new ModelServer({
    now: () => clock.now_ms,
    people: { anna: ['A', 'B'], bram: ['B'] },
    rowLimit,
    pageSize,
    windowDays: 90,
  });
  for (let i = 1; i <= conversations; i += 1) {
    server.residentWrites(`c${i}`, i % 2 ? 'A' : 'B', `vraag ${i}: de lamp bij café Têt is kapot`);
    clock.now_ms += 1000;
  }
  const net = { off: false, html: false, requests: [] };
  const fetchFor =
    (person) =>
    async (path, init = {}) => {
      if (net.off) throw new TypeError('Failed to fetch');
      net.requests.push({ path, init });
      if (net.html)
        return new Response('<p>Wi-Fi</p>', { headers: { 'content-type': 'text/html' } });
      const packed = init.headers?.['content-encoding'] === 'gzip';
      const body = packed ? gunzipSync(init.body).toString() : init.body;
      const reply = server.handle(person, init.method ?? 'GET', path, body);
      if (net.lose?.()) throw new TypeError('Failed to fetch');
      return new Response(/** @type {any} */ (reply.body), {
        status: reply.status,
        headers: { 'content-type': reply.type },
      });
    };
  return { server, net, clock, fetchFor };
}

/** Open a phone; `until` waits for what the store tells, never for time. */
async function phoneOf(
  town,
  { person = 'anna', factory = new IDBFactory(), env = {}, ...options } = /** @type {any} */ ({}),
) {
  const store = await openStore({
    ...options,
    personId: person,
    indexedDB: factory,
    fetch: town.fetchFor(person),
    now: () => town.clock.now_ms,
    // Backing off takes no time here; a request is never given up.
    env: {
      timer(work, delay_ms) {
        const pass = () => {
          town.clock.now_ms += delay_ms;
          work();
        };
        const waiting = delay_ms < 5_000 ? setImmediate(pass) : undefined;
        return () => clearImmediate(waiting);
      },
      ...env,
    },
  });
  const until = (condition) =>
    new Promise((resolve) => {
      const look = async () => {
        if (!(await condition())) return;
        stop();
        resolve(undefined);
      };
      const stop = store.subscribe(() => void look());
      void look();
    });
  return { store, until, factory };
}

/** Read marks are the last thing that a new phone asks for. */
const inStep = (town, store) => () =>
  town.net.requests.some(({ path }) => path.includes('personal')) &&
  store.status().lastInStepMs > 0 &&
  !store.status().progress &&
  !store.status().syncing;
const still = { timer: () => () => {} };
/** @returns {any} */
const reply = (conversation_id, text, based_on = 1) => ({
  kind: 'reply',
  conversation_id,
  based_on,
  payload: { text, attachments: [] },
});

test('a new phone shows the newest at once and then everything', async () => {
  const town = municipality();
  const { store, until } = await phoneOf(town, { env: still });
  await until(inStep(town, store));
  assert.equal(store.list().length, 6);
  assert.equal(store.list()[0].id, 'c6');
  assert.equal(
    (await store.conversation('c1')).messages[0].text,
    'vraag 1: de lamp bij café Têt is kapot',
  );
  assert.equal(store.me().id, 'anna');
  store.close();
});

test('what the server answered first is shown before it is stored; the rest waits for the screen', async () => {
  const town = municipality();
  const first = await api.replica(browserEnv({ fetch: town.fetchFor('anna') }), 'first');
  const { store, until } = await phoneOf(town, { env: still, first, busy: true });
  assert.equal(store.status().lastInStepMs, 0);
  assert.deepEqual(
    store.list().map(({ id }) => id),
    ['c6', 'c5', 'c4'],
  );
  assert.match((await store.conversation('c6')).messages[0].text, /^vraag 6/);
  await until(() => store.status().lastInStepMs > 0 && !store.status().syncing);
  assert.equal(store.list().length, 3);
  assert.match((await store.conversation('c6')).messages[0].text, /^vraag 6/);
  assert.equal(town.net.requests.length, 1);
  store.settled();
  await until(inStep(town, store));
  assert.equal(store.list().length, 6);
  assert.equal(town.net.requests.filter(({ path }) => path.includes('part=first')).length, 1);
  store.close();
});

test('everything is there again without a network, and reading needs no request', async () => {
  const town = municipality();
  const first = await phoneOf(town, { env: still });
  await first.until(inStep(town, first.store));
  first.store.close();
  town.net.off = true;
  const { store } = await phoneOf(town, { factory: first.factory, env: still });
  assert.equal(store.list().length, 6);
  assert.equal((await store.conversation('c3')).complete, true);
  store.close();
});

test('a reply written without a network arrives once, although the first answer was lost', async () => {
  const town = municipality();
  const first = await phoneOf(town, { env: still });
  await first.until(inStep(town, first.store));
  town.net.off = true;
  await first.store.enqueue(reply('c1', 'Wij komen kijken'));
  assert.equal((await first.store.conversation('c1')).messages.at(-1).pending, 'waiting');
  first.store.close();

  town.net.off = false;
  let lost = 0;
  town.net.lose = () => lost++ === 0;
  const { store, until } = await phoneOf(town, { factory: first.factory });
  await until(async () => (await store.outbox()).length === 0);
  assert.equal(town.server.effects.length, 1);
  const said = (await store.conversation('c1')).messages.filter(
    (message) => message.text === 'Wij komen kijken',
  );
  assert.deepEqual(
    said.map((message) => [message.pending, message.position]),
    [[undefined, 2]],
  );
  store.close();
});

test('a reply stays in sight when its row has moved on to a later page of the answer', async () => {
  const town = municipality({ rowLimit: 2 });
  const { store, until } = await phoneOf(town, { env: still });
  await until(inStep(town, store));
  const seen = [];
  store.watch('c1', ({ messages }) => seen.push(messages.some(({ text }) => text === 'Wij komen')));
  town.net.lose = () => true;
  const { op_id } = await store.enqueue(reply('c1', 'Wij komen'));
  await until(() => town.server.effects.length === 1);
  // Its answer was lost; meanwhile others write, and the channel says that it took the reply.
  for (const id of ['c2', 'c4']) town.server.residentWrites(id, 'B', 'nog iets');
  town.server.deliver(op_id, 'sent');
  town.net.lose = () => false;
  await until(async () => {
    store.sendNow();
    return (await store.outbox()).length === 0;
  });
  await until(async () => (await store.conversation('c1')).messages.at(-1).delivery?.state === 'sent');
  assert.deepEqual(seen.slice(seen.indexOf(true)).filter((there) => !there), []);
  store.close();
});

test('what colleagues did meanwhile holds a reply, which stays with its writer', async () => {
  const town = municipality();
  const anna = await phoneOf(town, { env: still });
  await anna.until(inStep(town, anna.store));
  town.server.residentWrites('c1', 'A', 'Het is al gemaakt');
  await anna.store.enqueue(reply('c1', 'Wij komen kijken'));
  await anna.until(() => anna.store.status().needsPerson === 1);
  const [entry] = await anna.store.outbox();
  assert.equal(entry.state, 'held');
  assert.equal(entry.result.reason, 'resident_added');
  assert.equal(entry.result.changed[0].text, 'Het is al gemaakt');
  assert.deepEqual(await anna.store.edit(entry.op_id), { conversation_id: 'c1', kind: 'reply' });
  assert.equal((await anna.store.draft('c1')).text, 'Wij komen kijken');
  anna.store.close();
});

test('of two tabs that keep house at once, the one that found nothing left still hears what is gone', async () => {
  const disk = await openReplica(new IDBFactory(), 'anna');
  const row = (id, s) => ({ s, key: `c:${id}`, c: id, body: JSON.stringify({ id, s, number: s, area: 'A' }) });
  const pull = (rows, to) => replica.storePull(disk, /** @type {any} */ ({ header: { to }, rows, lines: [] }), 0);
  const memory = createMemory(disk, createTelling(async () => null));
  await memory.takeIn(await pull([row('c1', 1), row('c2', 2)], 2));
  assert.deepEqual([...memory.heads().keys()], ['c1', 'c2']);
  // The other tab removes c1, and this one commits something of its own before it is told.
  const theirs = { s: 3, key: 'x:c1:A', c: 'c1', body: '{"c":"c1"}' };
  await pull([theirs], 3);
  await memory.takeIn(await pull([], 4));
  assert.deepEqual([...memory.heads().keys()], ['c2']);
  // Nor does an older change, told late, undo a newer one.
  const older = await pull([{ ...theirs, s: 5, key: 'x:c2:A', c: 'c2' }], 5);
  await memory.takeIn(await pull([row('c2', 6)], 6));
  await memory.takeIn(older);
  assert.deepEqual([...memory.heads().keys()], ['c2']);
  disk.close();
});

test('send anyway, pressed in two tabs at once, sends the words once', async () => {
  const town = municipality();
  const factory = new IDBFactory();
  const one = await phoneOf(town, { factory });
  const two = await phoneOf(town, { factory });
  // Nothing tells one tab what the other did here: whichever of them sends also sees what came of it.
  const either = (condition) =>
    Promise.race([one, two].map(({ store, until }) => until(() => condition(store))));
  await one.until(inStep(town, one.store));
  town.server.residentWrites('c1', 'A', 'Het is al gemaakt');
  const { op_id: held } = await one.store.enqueue(reply('c1', 'Wij komen kijken'));
  await either((store) => store.status().needsPerson === 1);
  const pressed = await Promise.all(
    [one, two].map(({ store }) => store.sendAnyway(held, { based_on: 2 })),
  );
  assert.equal(pressed.filter((entry) => entry === null).length, 1);
  await either(async (store) => !(await store.outbox()).length);
  assert.deepEqual(
    town.server.effects.map(({ payload }) => payload.text),
    ['Wij komen kijken'],
  );
  assert.equal(await two.store.sendAnyway(held, { based_on: 2 }), null);
  one.store.close();
  two.store.close();
});

for (const arrived of [false, true]) {
  const fate = arrived
    ? 'did arrive is held, both versions in sight'
    : 'did not arrive goes out once, changed';
  test(`a reply that may be on its way can be changed: one that ${fate}`, async () => {
    const town = municipality();
    const { store, until } = await phoneOf(town, { env: still });
    await until(inStep(town, store));
    if (arrived) town.net.lose = () => true;
    else town.net.off = true;
    const first = await store.enqueue(reply('c1', 'Wij komen morgn'));
    await until(async () => (await store.outbox())[0].attempts > 0);
    await until(async () => !arrived || town.server.effects.length === 1);
    await assert.rejects(store.edit(first.op_id), PossiblySent);
    assert.equal(await store.takeBack(first.op_id, { edit: true }), true);
    const draft = await store.draft('c1');
    assert.equal(draft.text, 'Wij komen morgn');
    assert.deepEqual(draft.fields.supersedes, [first.op_id]);
    const { supersedes } = draft.fields;
    const better = reply('c1', 'Wij komen morgen');
    await store.enqueue({ ...better, payload: { ...better.payload, supersedes } });
    town.net.off = false;
    town.net.lose = () => false;
    store.sendNow();
    await until(async () => {
      const [entry] = await store.outbox();
      return arrived ? entry?.state === 'held' : !entry;
    });
    const said = town.server.effects.map((effect) => effect.payload.text);
    assert.deepEqual(said, [arrived ? 'Wij komen morgn' : 'Wij komen morgen']);
    if (arrived) assert.equal((await store.outbox())[0].result.reason, 'already_sent');
    store.close();
  });

  test(`a reply that may be on its way can be dropped: one that ${arrived ? 'did' : 'did not'} arrive`, async () => {
    const town = municipality();
    const { store, until } = await phoneOf(town, { env: still });
    await until(inStep(town, store));
    if (arrived) town.net.lose = () => true;
    else town.net.off = true;
    const first = await store.enqueue(reply('c1', 'Laat maar'));
    await until(async () => (await store.outbox())[0].attempts > 0);
    await until(async () => !arrived || town.server.effects.length === 1);
    await store.takeBack(first.op_id, { edit: false });
    town.net.off = false;
    town.net.lose = () => false;
    store.sendNow();
    await until(async () => {
      const [entry] = await store.outbox();
      return arrived ? entry?.state === 'rejected' : !entry;
    });
    assert.equal(town.server.effects.length, arrived ? 1 : 0);
    store.close();
  });
}

const approved = (text) => ({
  payload: { text, attachments: [], approved: { name: 'klaar', language: 'nl', values: {} } },
  based_on: 1,
});

test('an approved text goes in the stead of what waits, and her own words are a draft again', async () => {
  const town = municipality();
  const { store, until } = await phoneOf(town, { env: still });
  await until(inStep(town, store));
  const far = { not_before_ms: Number.MAX_SAFE_INTEGER };
  const first = await store.enqueue({ ...reply('c1', 'Wij komen morgen'), ...far });
  await store.saveDraft('c1', { text: 'En overmorgen' });
  const other = await store.instead(first.op_id, approved('Er is een antwoord.'));
  assert.equal(other.payload.supersedes, undefined, 'the first never left');
  assert.equal((await store.draft('c1')).text, 'En overmorgen\n\nWij komen morgen');
  // Chosen again before it left: what she filled in is no draft.
  const { op_id } = await store.enqueue({ ...reply('c1', ''), ...approved('Een'), keep_draft: true, ...far });
  await store.instead(op_id, approved('Er is echt een antwoord.'));
  assert.equal((await store.draft('c1')).text, 'En overmorgen\n\nWij komen morgen');
  await until(async () => !(await store.outbox()).length);
  assert.deepEqual(
    town.server.effects.map(({ payload }) => payload.text).sort(),
    ['Er is echt een antwoord.', 'Er is een antwoord.'],
  );
  assert.equal(await store.instead(first.op_id, approved('Nog eens.')), null);
  assert.equal(town.server.effects.length, 2);
  store.close();
});

for (const arrived of [false, true])
  test(`an approved text and the words that it replaces do not both take effect: they did ${arrived ? '' : 'not '}arrive`, async () => {
    const town = municipality();
    const { store, until } = await phoneOf(town, { env: still });
    await until(inStep(town, store));
    if (arrived) town.net.lose = () => true;
    else town.net.off = true;
    const first = await store.enqueue(reply('c1', 'Wij komen morgen'));
    await until(async () => (await store.outbox())[0].attempts > 0);
    await until(async () => !arrived || town.server.effects.length === 1);
    const other = await store.instead(first.op_id, approved('Er is een antwoord.'));
    assert.deepEqual(other.payload.supersedes, [first.op_id]);
    assert.equal((await store.draft('c1')).fields.supersedes, undefined);
    town.net.off = false;
    town.net.lose = () => false;
    store.sendNow();
    await until(async () => {
      const [entry] = await store.outbox();
      return arrived ? entry?.state === 'held' : !entry;
    });
    assert.deepEqual(
      town.server.effects.map(({ payload }) => payload.text),
      [arrived ? 'Wij komen morgen' : 'Er is een antwoord.'],
    );
    store.close();
  });

test('the draft goes in the transaction that stores the reply, and a late write does not bring it back', async () => {
  const town = municipality();
  const { store } = await phoneOf(town, { env: still });
  void store.saveDraft('c1', { text: 'Wij' });
  void store.saveDraft('c1', { text: 'Wij komen' });
  await store.enqueue(reply('c1', 'Wij komen'));
  assert.equal(await store.draft('c1'), null);
  store.close();
});

test('a note and a reply have drafts of their own', async () => {
  const town = municipality();
  const { store } = await phoneOf(town, { env: still });
  await store.saveDraft('c1', { text: 'antwoord' });
  await store.saveDraft('c1:note', { text: 'notitie' });
  await store.enqueue({ ...reply('c1', 'notitie'), kind: 'note' });
  assert.equal((await store.draft('c1')).text, 'antwoord');
  assert.equal(await store.draft('c1:note'), null);
  store.close();
});

test('a captive portal is told apart and changes nothing', async () => {
  const town = municipality();
  town.net.html = true;
  const { store, until } = await phoneOf(town, { env: still });
  await store.enqueue(reply('c1', 'x'));
  await until(() => store.status().connection === 'portal');
  assert.equal((await store.outbox())[0].state, 'waiting');
  store.close();
});

test('signed out keeps the outbox and says so', async () => {
  const town = municipality();
  const { store, until } = await phoneOf(town, { env: still });
  await until(inStep(town, store));
  town.server.people.get('anna').signedOut = true;
  await store.enqueue(reply('c1', 'x'));
  await until(() => store.status().connection === 'signed_out');
  assert.equal(store.status().waiting, 1);
  store.close();
});

test('who listens only after the phone was emptied is told as well', async () => {
  const telling = createTelling(async () => null);
  telling.close();
  telling.leave('revoked');
  const heard = await new Promise((resolve) => telling.subscribe(({ kinds }) => resolve([...kinds])));
  assert.deepEqual(heard, ['revoked', 'status']);
});

test('a revoked phone keeps nothing', async () => {
  const town = municipality();
  const { store, factory, until } = await phoneOf(town, { env: still });
  await until(inStep(town, store));
  town.server.people.get('anna').revoked = true;
  const gone = new Promise((resolve) =>
    store.subscribe(({ kinds }) => kinds.has('revoked') && resolve(undefined)),
  );
  store.sendNow();
  await gone;
  assert.deepEqual(await factory.databases(), []);
});

test('signing out with unsent work asks first, then leaves nothing behind', async () => {
  const town = municipality();
  const factory = new IDBFactory();
  await writeDevice({ person_id: 'anna' }, factory);
  const { store } = await phoneOf(town, {
    factory,
    env: { ...still, fetch: async () => Promise.reject(new TypeError()) },
  });
  await store.enqueue(reply('c1', 'x'));
  assert.deepEqual(await store.signOut(), { unsent: 1, signedOut: false });
  assert.equal((await store.outbox()).length, 1);
  assert.deepEqual(await store.signOut({ force: true }), { unsent: 0, signedOut: true });
  assert.deepEqual(await factory.databases(), []);
});

test('what one person did not send stays hers when another signs in on the same phone', async () => {
  const town = municipality();
  town.net.off = true;
  const anna = await phoneOf(town, { env: still });
  await anna.store.enqueue(reply('c1', 'van Anna'));
  anna.store.close();
  const bram = await phoneOf(town, { person: 'bram', factory: anna.factory, env: still });
  assert.equal((await bram.store.outbox()).length, 0);
  bram.store.close();
  const again = await phoneOf(town, { factory: anna.factory, env: still });
  assert.equal((await again.store.outbox())[0].payload.text, 'van Anna');
  again.store.close();
});

test('another person who signs in finds no replica of the one before', async () => {
  const town = municipality();
  const factory = new IDBFactory();
  await writeDevice({ person_id: 'anna' }, factory);
  const anna = await phoneOf(town, { factory, env: still });
  await anna.until(inStep(town, anna.store));
  anna.store.close();
  await writeDevice({ person_id: 'bram' }, factory);
  const names = (await factory.databases()).map(({ name }) => name);
  assert.deepEqual(names.sort(), ['stoep-device', 'stoep-outbox-anna']);
});

test('two tabs and one reply: it goes once, and both show it', async () => {
  const town = municipality();
  const factory = new IDBFactory();
  const held = new Map();
  const lock = async (name, work) => {
    const before = held.get(name) ?? Promise.resolve();
    const mine = before.then(work);
    held.set(
      name,
      mine.catch(() => {}),
    );
    return mine;
  };
  const ends = new Set();
  const channel = () => {
    const end = {
      onmessage: null,
      close: () => ends.delete(end),
      postMessage: (data) => ends.forEach((other) => other !== end && other.onmessage?.({ data })),
    };
    ends.add(end);
    return end;
  };
  const options = {
    personId: 'anna',
    indexedDB: factory,
    fetch: town.fetchFor('anna'),
    now: () => town.clock.now_ms,
    channel,
    env: { ...still, lock },
  };
  const one = await openStore(options);
  const two = await openStore(options);
  const until = (store, condition) =>
    new Promise((resolve) => {
      const stop = store.subscribe(async () => (await condition()) && (stop(), resolve(undefined)));
      void Promise.resolve(condition()).then((now) => now && (stop(), resolve(undefined)));
    });
  await until(one, inStep(town, one));
  await until(two, () => two.list().length === 6);
  await one.enqueue(reply('c1', 'Eén keer'));
  const shows = async (store) =>
    (await store.outbox()).length === 0 && (await store.conversation('c1')).messages.length === 2;
  await until(one, () => shows(one));
  await until(two, () => shows(two));
  assert.equal(town.server.effects.length, 1);
  one.close();
  two.close();
});

test('a full phone refuses the reply, keeps the draft and says that it is full', async () => {
  const town = municipality();
  const factory = new IDBFactory();
  const disks = {
    replica: await openReplica(factory, 'anna'),
    outbox: await openOutbox(factory, 'anna'),
  };
  const full = Object.assign(new Error('full'), { name: 'QuotaExceededError' });
  let refuse = false;
  const store = await openStore({
    personId: 'anna',
    disks: {
      ...disks,
      outbox: {
        ...disks.outbox,
        write: (...given) => (refuse ? Promise.reject(full) : disks.outbox.write(...given)),
      },
    },
    fetch: town.fetchFor('anna'),
    now: () => town.clock.now_ms,
    env: still,
  });
  await store.saveDraft('c1', { text: 'Wij komen' });
  refuse = true;
  await assert.rejects(store.enqueue(reply('c1', 'Wij komen')), { name: 'QuotaExceededError' });
  assert.equal(store.status().storage, 'full');
  assert.equal((await store.draft('c1')).text, 'Wij komen');
  // A disk can fail in other ways, and that is not said to be full.
  Object.assign(full, { name: 'UnknownError' });
  await assert.rejects(store.saveDraft('c1', { text: 'Wij komen kijken' }), { name: 'UnknownError' });
  assert.equal(store.status().storage, 'failing');
  refuse = false;
  await store.enqueue(reply('c1', 'Wij komen kijken'));
  assert.equal(store.status().storage, '');
  store.close();
});

test('search on the phone folds case and accents and finds what still waits', async () => {
  const town = municipality();
  const { store, until } = await phoneOf(town, { env: still });
  await until(inStep(town, store));
  assert.equal((await store.searchLocal('CAFE tet')).length, 6);
  assert.deepEqual(
    (await store.searchLocal('vraag 3')).map(({ head }) => head.id),
    ['c3'],
  );
  assert.deepEqual(await store.searchLocal('café molen'), []);
  town.net.off = true;
  await store.enqueue(reply('c2', 'De móólen draait'));
  assert.deepEqual(
    (await store.searchLocal('moolen')).map(({ head }) => head.id),
    ['c2'],
  );
  store.close();
});

test('folding the rows into pages changes nothing that anyone can see', async () => {
  const town = municipality();
  const { store, until, factory } = await phoneOf(town, { env: still });
  await until(inStep(town, store));
  for (let i = 1; i <= 6; i += 1) town.server.residentWrites(`c${i}`, 'A', `nog iets ${i}`);
  store.sendNow();
  await until(() => store.list().every((head) => head.position === 2));
  const before = JSON.stringify([
    store.list(),
    await Promise.all(store.list().map(({ id }) => store.conversation(id))),
  ]);
  assert.ok((await store.compact()) > 0);
  store.close();
  town.net.off = true;
  const again = await phoneOf(town, { factory, env: still });
  assert.equal(
    JSON.stringify([
      again.store.list(),
      await Promise.all(again.store.list().map(({ id }) => again.store.conversation(id))),
    ]),
    before,
  );
  again.store.close();
});

test('a conversation closed before the window leaves the phone and comes back whole', async () => {
  const town = municipality();
  const { store, until } = await phoneOf(town, { env: still });
  await until(inStep(town, store));
  town.server.close('c1');
  store.sendNow();
  await until(() => store.list({ filter: 'closed' }).length === 1);
  town.clock.now_ms += 91 * DAY_MS;
  store.sendNow();
  await until(() => store.list({ filter: 'closed' }).length === 0);
  town.server.residentWrites('c1', 'A', 'Weer kapot');
  store.sendNow();
  await until(async () => (await store.conversation('c1')).messages.length === 2);
  store.close();
});

test('an area that is lost goes from the phone, and one that is gained is filled in', async () => {
  const town = municipality();
  const { store, until } = await phoneOf(town, { env: still });
  await until(inStep(town, store));
  town.server.setAreas('anna', ['B']);
  store.sendNow();
  await until(() => store.list().length === 3);
  assert.deepEqual((await store.conversation('c1')).messages, []);
  town.server.setAreas('anna', ['A', 'B']);
  store.sendNow();
  await until(() => store.list().length === 6);
  await until(async () => (await store.conversation('c1')).complete);
  store.close();
});

test('requests with much in them are compressed, and a large queue is one request', async () => {
  const town = municipality();
  const { store, until } = await phoneOf(town, { env: still });
  await until(inStep(town, store));
  town.net.off = true;
  for (let i = 0; i < 100; i += 1)
    await store.enqueue({ ...reply(`c${1 + (i % 6)}`, `notitie ${i}`), kind: 'note' });
  town.net.off = false;
  town.net.requests.length = 0;
  store.sendNow();
  await until(async () => (await store.outbox()).length === 0);
  const pushes = town.net.requests.filter(
    ({ init }) => init.headers?.['content-encoding'] === 'gzip',
  );
  assert.equal(pushes.length, 1);
  assert.equal(town.server.effects.length, 100);
  assert.ok(pushes[0].init.body.length < 22_000, String(pushes[0].init.body.length));
  store.close();
});

test('a photo goes up in pieces before its reply, and goes on where it was', async () => {
  const town = municipality();
  const factory = new IDBFactory();
  const disk = await openOutbox(factory, 'anna');
  await outbox.addPhoto(disk, 'p1', {
    blob: new Blob([new Uint8Array(150_000)]),
    type: 'image/jpeg',
    name: 'a.jpg',
    uploaded_bytes: 0,
  });
  disk.close();
  const { store, until } = await phoneOf(town, { factory, env: still });
  await until(inStep(town, store));
  await store.enqueue({
    ...reply('c1', 'Zie foto'),
    payload: { text: 'Zie foto', attachments: ['p1'] },
  });
  await until(async () => (await store.outbox()).length === 0);
  const pieces = town.net.requests
    .filter(({ path }) => path.includes('/uploads/'))
    .map(({ init }) => init.body.size);
  assert.deepEqual(pieces, [65_536, 65_536, 18_928]);
  assert.equal(town.server.effects.length, 1);
  store.close();
});

test('a reply that was held for two months still goes with its photo, which the server has forgotten', async () => {
  const town = municipality();
  const factory = new IDBFactory();
  const disk = await openOutbox(factory, 'anna');
  const blob = new Blob([new Uint8Array(70_000)]);
  await outbox.addPhoto(disk, 'p1', { blob, type: 'image/jpeg', name: 'a.jpg', uploaded_bytes: 0 });
  disk.close();
  const { store, until } = await phoneOf(town, { factory, env: still });
  await until(inStep(town, store));
  town.server.residentWrites('c1', 'A', 'Het is al gemaakt');
  const payload = { text: 'Zie foto', attachments: ['p1'] };
  const { op_id } = await store.enqueue({ ...reply('c1', 'Zie foto'), payload });
  await until(() => store.status().needsPerson === 1);
  town.clock.now_ms += 60 * DAY_MS;
  town.server.sweep();
  assert.equal(town.server.uploads.size, 0);
  await store.sendAnyway(op_id, { based_on: 2 });
  await until(async () => (await store.outbox()).length === 0);
  assert.deepEqual(
    town.server.effects.map(({ payload: { attachments } }) => attachments),
    [['p1']],
  );
  assert.equal(town.server.uploads.get('p1').have, 70_000);
  store.close();
});

test('what a photo shows is on the screen while it waits, comes back into the draft, and goes along', async () => {
  const town = municipality();
  const factory = new IDBFactory();
  const disk = await openOutbox(factory, 'anna');
  const blob = new Blob([new Uint8Array(10)]);
  for (const id of ['p1', 'p2'])
    await outbox.addPhoto(disk, id, { blob, type: 'image/jpeg', name: 'a.jpg', uploaded_bytes: 0 });
  disk.close();
  const { store, until } = await phoneOf(town, { factory, env: still });
  await until(inStep(town, store));
  town.net.off = true;
  const written = [
    { id: 'p1', type: 'image/jpeg', name: 'a.jpg', alt: '  Een kapotte lamp ' },
    { id: 'p2', type: 'image/jpeg', name: 'a.jpg', alt: ' ' },
  ];
  const alts = altsOf(written);
  assert.deepEqual(alts, { p1: 'Een kapotte lamp' });
  assert.equal(altsOf([written[1]]), null);
  const payload = { text: 'Zie foto', attachments: ['p1', 'p2'], alts };
  const entry = await store.enqueue({ ...reply('c1', 'Zie foto'), payload, not_before_ms: town.clock.now_ms + DAY_MS });
  const { messages } = await store.conversation('c1');
  assert.deepEqual(
    messages.at(-1).attachments.map(({ alt }) => alt),
    ['Een kapotte lamp', undefined],
  );
  await store.edit(entry.op_id);
  const draft = await store.draft('c1');
  assert.deepEqual(
    draft.attachments.map(({ id, alt }) => [id, alt]),
    [
      ['p1', 'Een kapotte lamp'],
      ['p2', undefined],
    ],
  );
  assert.equal('alts' in draft.fields, false);
  town.net.off = false;
  await store.enqueue({ ...reply('c1', 'Zie foto'), payload: { ...payload, alts: altsOf(draft.attachments) } });
  store.sendNow();
  await until(() => town.server.effects.length === 1);
  assert.deepEqual(town.server.effects[0].payload.alts, alts);
  store.close();
});

test('an answer with a wrong sum, a wrong count or half a line is thrown away whole', async () => {
  for (const damage of [
    (text) => text.replace('vraag', 'vroog'),
    (text) => text.replace(/[^\n]*\n$/, ''),
    (text) => text.slice(0, -9),
  ]) {
    const town = municipality();
    const honest = town.fetchFor('anna');
    const fetch = async (path, init) => {
      const response = await honest(path, init);
      return new Response(damage(await response.text()), { headers: response.headers });
    };
    const store = await openStore({
      personId: 'anna',
      indexedDB: new IDBFactory(),
      fetch,
      now: () => town.clock.now_ms,
      env: still,
    });
    await new Promise((resolve) => {
      store.subscribe(() => store.status().connection === 'offline' && resolve(undefined));
    });
    assert.equal(store.list().length, 0);
    store.close();
  }
});

test('an outbox written by an earlier version is still understood', async () => {
  const factory = new IDBFactory();
  const disk = await openOutbox(factory, 'anna');
  const entry = await outbox.add(disk, {
    op_id: 'o1',
    kind: 'reply',
    conversation_id: 'c1',
    based_on: 1,
    payload: { text: 'x', attachments: [] },
    written_at_ms: 1,
    not_before_ms: 0,
  });
  assert.deepEqual(Object.keys(entry).sort(), [
    'attempts',
    'based_on',
    'conversation_id',
    'kind',
    'last_error',
    'n',
    'not_before_ms',
    'op_id',
    'payload',
    'result',
    'state',
    'v',
    'written_at_ms',
  ]);
  const { n, ...again } = entry;
  await assert.rejects(outbox.add(disk, again), { name: 'ConstraintError' });
  assert.deepEqual(
    (await outbox.list(disk)).map((each) => each.n),
    [n],
  );
  disk.close();
});

test('a replica that cannot be opened is thrown away; the outbox never is', async () => {
  const factory = new IDBFactory();
  for (const name of ['stoep-replica-anna', 'stoep-outbox-anna']) {
    await new Promise((resolve) => {
      const newer = factory.open(name, 99);
      newer.onsuccess = () => (newer.result.close(), resolve(undefined));
    });
  }
  const disk = await openReplica(factory, 'anna');
  assert.equal((await replica.loadSaved(disk)).cursor, null);
  disk.close();
  await assert.rejects(openOutbox(factory, 'anna'), { name: 'VersionError' });
});

test('the device record survives and tells who it was', async () => {
  const factory = new IDBFactory();
  assert.equal(await readDevice(factory), null);
  await writeDevice({ person_id: 'anna', theme: 'dark' }, factory);
  await writeDevice({ language: 'en' }, factory);
  assert.deepEqual(await readDevice(factory), { person_id: 'anna', theme: 'dark', language: 'en' });
});
