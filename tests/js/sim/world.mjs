/**
 * One history: several phones, a server, residents, and everything that goes wrong between them, from one seed. At the
 * end the network heals and the promises are checked. `Broken` says which one did not hold.
 */
import { createMemoryDisk } from '../disk.mjs';
import { canonical, createPhone, dumpStore } from '../harness.mjs';
import { createClock, seeded } from './clock.mjs';
import { createNetwork } from './network.mjs';
import { ModelServer } from './server.mjs';

const DAY_MS = 86_400_000;
const WINDOW_DAYS = 90;
const REPLICA = ['pages', 'heads', 'rows', 'meta', 'photos'];
const OUTBOX = ['outbox', 'drafts', 'photos'];
const COMPOSED = new Set(['reply', 'note', 'contact']);

export class Broken extends Error {
  /** @param {string} promise @param {string} detail */
  constructor(promise, detail) {
    super(`${promise}: ${detail}`);
    this.promise = promise;
  }
}

/**
 * @param {object} given
 * @param {any} given.client  from loadClient
 * @param {number} given.seed
 * @param {typeof ModelServer} [given.Server]
 * @param {number} [given.actions]
 * @returns {Promise<{operations: number, requests: number}>}  raises Broken
 */
export async function runHistory({ client, seed, Server = ModelServer, actions = 30 }) {
  const random = seeded(seed);
  const clock = createClock();
  const chance = (p) => random() < p;
  const pick = (list) => list[Math.floor(random() * list.length)];
  const server = new Server({
    now: clock.now,
    people: { anna: ['A', 'B'], bram: ['B', 'C'], chris: ['A', 'B', 'C', 'D'] },
    rowLimit: pick([1, 4, 15, 500]),
    pageSize: pick([2, 4, 256]),
    windowDays: WINDOW_DAYS,
    chance,
  });
  const phones = ['anna', 'bram', pick(['anna', 'bram', 'chris'])]
    .slice(0, 2 + Math.floor(random() * 2))
    .map(newPhone);
  /** Every operation whose storing resolved. */
  const stored = new Map();
  /** Operations whose phone ended before storing resolved: they may or may not exist. */
  const maybe = new Map();
  const discarded = new Set();
  /** She was taking these back when her phone ended: they may be here or gone, but not applied and gone. */
  const leaving = new Set();
  /** Of those, what may have been on its way: that nobody can discard it any more does not bring it back. */
  const takenBack = new Set();
  /** What she dropped although it may have been on its way, and the operation that asks the server to refuse it. */
  const withdrawn = new Map();
  /** Dropped as well, and the asking was over before anybody looked. */
  const unasked = new Set();
  /** What a reply took the place of, in all its versions, by the reply that did. */
  const replaced = new Map();
  /** Perhaps sent, and not answered, when the server forgot their photos: that is for their writer to see. */
  const forgotten = new Set();
  /** Words that a draft was resolved to hold, by phone and key; gone when she gave them to the outbox. */
  let words = 0;
  let failures = [];

  server.onPublish = (seq) => {
    for (const phone of phones) {
      for (const source of phone.sources) {
        clock.timer(() => source.poke(seq), 20 + random() * 50);
      }
    }
  };

  function newPhone(personId, i) {
    const jitter = seeded(Math.floor(random() * 2 ** 31));
    const pause = () => clock.pause(jitter() * 3);
    const disks = {
      replica: createMemoryDisk(REPLICA, { pause }),
      outbox: createMemoryDisk(OUTBOX, { pause }),
    };
    const network = createNetwork({
      clock,
      random: jitter,
      serve: (method, path, body) => server.handle(personId, method, path, body),
    });
    network.latency_ms = 10 + random() * 60;
    const phone = createPhone({
      client,
      personId,
      openDisks: async () => disks,
      fetch: network.fetch,
      now: clock.now,
      timer: clock.timer,
      random: jitter,
    });
    return Object.assign(phone, {
      name: `${personId}-${i}`,
      disks,
      network,
      sources: new Set(),
      drafts: new Map(),
      wasFull: false,
    });
  }

  const text = () => `~${pick(['heg', 'lamp', 'stoep', 'boom', 'fiets'])} ${(words += 1)}`;
  const alive = () => phones.flatMap((phone) => [...phone.tabs].filter((tab) => tab.store));
  const ids = () => [...server.conversations.keys()];
  const conversationOn = (tab) =>
    pick([...tab.store.list({}), ...tab.store.list({ filter: 'closed' })]);

  async function open(phone) {
    const tab = await phone.open();
    void tab.ready.catch((error) => failures.push(error));
    return tab;
  }

  function end(phone, tab) {
    phone.kill(tab);
    for (const [op_id, op] of tab.storing ?? []) maybe.set(op_id, op);
  }

  /** @param {any} tab @param {any} op @param {(op: any) => Promise<any>} [store]  resolves with null when nothing was stored */
  function enqueue(tab, op, store = (given) => tab.store.enqueue(given)) {
    const { phone } = tab;
    const op_id = tab.store.newId();
    const known = { ...op, op_id, phone, person: phone.world.personId };
    tab.storing ??= new Map();
    tab.storing.set(op_id, known);
    const key =
      op.kind === 'reply'
        ? op.conversation_id
        : op.kind === 'note'
          ? `${op.conversation_id}:note`
          : null;
    return store({ ...op, op_id }).then(
      (entry) => {
        tab.storing.delete(op_id);
        if (!entry) return null;
        const payload = known.stead ? entry.payload : known.payload;
        stored.set(op_id, { ...known, payload, n: entry.n });
        if (key && op.payload.text?.startsWith(phone.drafts.get(key)?.said))
          phone.drafts.delete(key);
        return entry;
      },
      (error) => {
        tab.storing.delete(op_id);
        if (error.name !== 'QuotaExceededError' && error.message !== 'killed') failures.push(error);
      },
    );
  }

  async function compose(tab, kind, how = {}) {
    const head = conversationOn(tab);
    if (!head) return;
    const key = kind === 'note' ? `${head.id}:note` : head.id;
    // One composer a tab, but two tabs may write in the same conversation.
    tab.composing ??= new Set();
    if (tab.composing.has(key)) return;
    tab.composing.add(key);
    await composeIn(tab, kind, head, key, how).finally(() => tab.composing.delete(key));
  }

  async function composeIn(tab, kind, head, key, { photo = false }) {
    // She goes on from the draft that lies there.
    const draft = tab.phone.drafts.get(key);
    const elsewhere = draft && draft.tab !== tab && !draft.tab.life.dead && chance(0.5);
    const said = draft && !elsewhere ? `${draft.said} ${(words += 1)}` : text();
    const payload = { text: said, attachments: [] };
    const supersedes = elsewhere ? undefined : draft?.supersedes;
    if (supersedes) payload.supersedes = supersedes;
    if (chance(0.5)) {
      const fields = supersedes && { supersedes };
      const saved = await tab.store.saveDraft(key, { text: said, fields }).then(
        () => true,
        () => false,
      );
      if (saved) tab.phone.drafts.set(key, { said, tab, supersedes });
      if (tab.life.dead || chance(0.2)) return;
    }
    if (photo || chance(0.12)) payload.attachments = await takePhoto(tab);
    const not_before_ms = kind === 'reply' && (photo || chance(0.2)) ? clock.now() + 5_000 : 0;
    // Some phones end just as she taps.
    if (chance(0.08)) clock.timer(() => tab.life.dead || end(tab.phone, tab), random() * 8);
    await enqueue(tab, {
      kind,
      conversation_id: head.id,
      based_on: head.position,
      payload,
      not_before_ms,
    });
    // Sent too soon: she wants it back while it may be on its way.
    if (chance(0.25))
      clock.timer(() => tab.life.dead || void takeBack(tab).catch(report), random() * 400);
  }

  /** Two tabs, one conversation: what she leaves in one is not swept away by what she sends from the other. */
  async function composeTwice(phone) {
    const [one, two] = [...phone.tabs].filter((tab) => tab.store);
    const head = two && conversationOn(two);
    if (
      !head ||
      phone.drafts.has(head.id) ||
      one.composing?.has(head.id) ||
      two.composing?.has(head.id)
    )
      return;
    const said = text();
    await one.store.saveDraft(head.id, { text: said });
    phone.drafts.set(head.id, { said, tab: one });
    const { id: conversation_id, position: based_on } = head;
    await enqueue(two, {
      kind: 'reply',
      conversation_id,
      based_on,
      payload: { text: text(), attachments: [] },
    });
  }

  async function takePhoto(tab) {
    const id = tab.store.newId();
    const size = 1 + Math.floor(random() * 150_000);
    const blob = { size, slice: (from, to) => ({ size: Math.min(to, size) - from }) };
    const photo = { blob, type: 'image/jpeg', name: 'foto.jpg', uploaded_bytes: 0 };
    return tab.phone.world.client.outbox.addPhoto(tab.phone.disks.outbox, id, photo).then(
      () => [id],
      () => [],
    );
  }

  async function change(tab) {
    const urgent = tab.store.list({}).filter(({ alert }) => alert);
    const head = urgent.length && chance(0.4) ? pick(urgent) : conversationOn(tab);
    if (!head) return;
    const base = { conversation_id: head.id, based_on: head.position };
    const alerted = [
      { kind: 'acknowledge', payload: {} },
      { kind: 'snooze', payload: { minutes: 15 } },
    ];
    const made = pick(head.alert && chance(0.6) ? alerted : [
      pick(alerted),
      { kind: 'status', payload: { status: pick(['open', 'waiting', 'closed']) } },
      { kind: 'assign', payload: { person: pick(['anna', 'bram', null]) } },
      { kind: 'area', payload: { area: pick(['A', 'B', 'C', 'D']) } },
      { kind: 'topics', payload: { add: [pick(['groen', 'licht'])], remove: [] } },
      { kind: 'urgent', payload: { urgent: chance(0.5), reason: 'haast' } },
      { kind: 'read', payload: { position: head.in_position } },
      {
        kind: 'same',
        payload: {
          pair: pick(['AA', 'AB', 'BC', 'CD']),
          verdict: pick(['open', 'same', 'different']),
          was: pick(['open', 'same', 'different']),
          among: [],
        },
      },
    ]);
    await enqueue(tab, { ...base, ...made });
  }

  async function contact(tab) {
    const area = pick([...server.people.get(tab.phone.world.personId).areas]) ?? 'A';
    const conversation_id = `made-${(words += 1)}`;
    // Copied from a closed group, it is answered by hand, which is only written down.
    const group = chance(0.4);
    await enqueue(tab, {
      kind: 'contact',
      conversation_id,
      based_on: null,
      payload: { text: text(), area, attachments: [], ...(group && { via: 'group' }) },
    });
    if (chance(0.5)) {
      await enqueue(tab, {
        kind: 'note',
        conversation_id,
        based_on: 0,
        payload: { text: text(), attachments: [], ...(group && { by_hand_at_ms: 1 }) },
      });
    }
  }

  /** A question in the hall, and perhaps at once what becomes of it; or what becomes of somebody else's. */
  async function meet(tab) {
    const area = pick([...server.people.get(tab.phone.world.personId).areas]) ?? 'A';
    const fate = (question, conversation_id, based_on) =>
      enqueue(tab, {
        kind: 'fate',
        conversation_id,
        based_on,
        payload: { question, fate: 'answered', text: text() },
      });
    const asked = [...server.questions];
    if (asked.length && chance(0.4)) {
      const [id, { c, position }] = pick(asked);
      // What she saw of it may be old.
      return fate(id, c, chance(0.5) ? position : 0);
    }
    const conversation_id = `asked-${(words += 1)}`;
    const payload = { meeting: `meeting-${area}`, text: text(), asked_at_ms: clock.now(), attachments: [] };
    if (chance(0.2)) payload.attachments = await takePhoto(tab);
    const kept = await enqueue(tab, { kind: 'question', conversation_id, based_on: null, payload });
    if (kept && chance(0.5)) await fate(kept.op_id, conversation_id, 0);
  }

  /** She looks at what needs her, or takes something back. */
  async function resolve(tab) {
    const entries = await tab.store.outbox();
    const held = entries.filter(({ state }) => state === 'held');
    const entry = pick(held.length && chance(0.7) ? held : entries);
    if (!entry || entry.state === 'accepted') return;
    try {
      if (entry.state === 'held' && entry.result.reason !== 'already_sent' && chance(0.6)) {
        // Impatient, or unsure whether it was heard: she may press it in each tab that she has open.
        const pressed = [...tab.phone.tabs].filter((each) => each.store && (each === tab || chance(0.7)));
        await Promise.all(pressed.map((each) => sendAnyway(each, entry)));
      } else if (entry.kind === 'reply' && entry.result?.reason !== 'already_sent' && chance(0.3)) {
        await stead(tab, entry);
      } else if (chance(0.5)) {
        leaving.add(entry.op_id);
        if (await tab.store.discard(entry.op_id)) discarded.add(entry.op_id);
      } else {
        leaving.add(entry.op_id);
        const edited = await tab.store.edit(entry.op_id);
        if (edited) discarded.add(entry.op_id);
      }
    } catch (error) {
      if (!takenBack.has(entry.op_id)) leaving.delete(entry.op_id);
      if (error.constructor.name !== 'PossiblySent' && error.name !== 'QuotaExceededError')
        throw error;
    }
  }

  async function sendAnyway(tab, { op_id: held, kind, conversation_id, payload: before, based_on: then }) {
    const head = tab.store.list({}).find(({ id }) => id === conversation_id);
    const { supersedes, ...payload } = before;
    const based_on = head?.position ?? then;
    leaving.add(held);
    const op = { kind, conversation_id, payload, based_on, keep_draft: true };
    const again = await enqueue(tab, op, ({ op_id }) => tab.store.sendAnyway(held, { op_id, based_on }));
    if (again) discarded.add(held);
  }

  /** She changes or drops what may be on its way already. */
  async function takeBack(tab) {
    const onItsWay = (await tab.store.outbox()).filter(
      ({ state, kind, attempts }) =>
        state === 'waiting' && attempts > 0 && (kind === 'reply' || kind === 'note'),
    );
    const entry = pick(onItsWay);
    if (!entry) return;
    const { op_id, kind, conversation_id } = entry;
    const key = kind === 'note' ? `${conversation_id}:note` : conversation_id;
    tab.composing ??= new Set();
    if (tab.composing.has(key)) return;
    tab.composing.add(key);
    leaving.add(op_id);
    takenBack.add(op_id);
    try {
      if (chance(0.5)) await withdraw(tab, entry);
      else if (kind === 'reply' && chance(0.3)) await replace(tab, entry);
      else await supersede(tab, entry, key);
    } catch (error) {
      if (error.constructor.name !== 'PossiblySent' && error.name !== 'QuotaExceededError')
        throw error;
    } finally {
      tab.composing.delete(key);
    }
  }

  /** Another reply goes in the stead of one that waits or was refused; her own words are a draft again. */
  async function stead(tab, entry) {
    const key = entry.conversation_id;
    tab.composing ??= new Set();
    if (tab.composing.has(key)) return;
    tab.composing.add(key);
    await replace(tab, entry).finally(() => tab.composing.delete(key));
  }

  async function replace(tab, entry) {
    const { op_id: old, conversation_id, payload: before } = entry;
    leaving.add(old);
    takenBack.add(old);
    const head = tab.store.list({ filter: 'all' }).find(({ id }) => id === conversation_id);
    const based_on = head?.position ?? entry.based_on;
    const payload = { text: text(), attachments: [], ...(chance(0.5) && { approved: { name: 'klaar' } }) };
    const op = { kind: 'reply', conversation_id, payload, based_on, keep_draft: true, stead: true };
    const kept = await enqueue(tab, op, ({ op_id }) => {
      replaced.set(op_id, [...(before.supersedes ?? []), old]);
      return tab.store.instead(old, { op_id, payload, based_on });
    });
    if (!kept) return;
    if (kept.payload.supersedes?.includes(old)) checkVersions(entry, kept.payload.supersedes);
    else discarded.add(old);
    if (before.approved) return;
    const draft = await tab.store.draft(conversation_id);
    // Another tab may have begun anew in the same composer.
    if (tab.phone.tabs.size > 1 && !draft?.text.includes(before.text)) return;
    const said = draft?.text ?? before.text;
    tab.phone.drafts.set(conversation_id, { said, tab, supersedes: draft?.fields?.supersedes, was: old });
  }

  /** Every version of these words that may be on its way is named. */
  function checkVersions({ op_id, payload }, named) {
    const versions = [...(payload.supersedes ?? []), op_id];
    if (!versions.every((each) => named?.includes(each)))
      throw new Broken('taken back', `${versions} may be on their way, only ${named} are replaced`);
  }

  async function withdraw(tab, entry) {
    const { op_id, conversation_id } = entry;
    if (!(await tab.store.takeBack(op_id, { edit: false }))) return;
    const asked = [...tab.phone.disks.outbox.data.get('outbox').values()].find(
      ({ kind, payload }) => kind === 'withdraw' && payload.op_ids.includes(op_id),
    );
    // It may have been judged and let go in the meantime; then the server knows.
    if (!asked) return void unasked.add(op_id);
    checkVersions(entry, asked.payload.op_ids);
    const { payload, n } = asked;
    const op = { op_id: asked.op_id, kind: 'withdraw', conversation_id, payload, n };
    withdrawn.set(op_id, asked.op_id);
    stored.set(asked.op_id, { ...op, phone: tab.phone, person: tab.phone.world.personId });
  }

  async function supersede(tab, entry, key) {
    const { op_id, kind, conversation_id } = entry;
    const { phone } = tab;
    if (!(await tab.store.takeBack(op_id, { edit: true }))) return;
    const draft = await tab.store.draft(key);
    const supersedes = draft?.fields?.supersedes;
    // Another tab may have begun anew in the same composer.
    if (!draft?.text.includes(entry.payload.text)) return;
    checkVersions(entry, supersedes);
    phone.drafts.set(key, { said: draft.text, tab, supersedes });
    const head = tab.store.list({ filter: 'all' }).find(({ id }) => id === conversation_id);
    const based_on = head?.position ?? draft.based_on;
    const other = [...phone.tabs].find((each) => each !== tab && each.store);
    if (other && !other.composing?.has(key) && chance(0.4)) {
      // What lies there to be changed is not swept away by what she sends from another tab.
      const payload = { text: text(), attachments: [] };
      return void (await enqueue(other, { kind, conversation_id, based_on, payload }));
    }
    if (chance(0.3)) return;
    const attachments = draft.attachments.map(({ id }) => id);
    const payload = { text: `${draft.text} ${(words += 1)}`, attachments, supersedes };
    await enqueue(tab, { kind, conversation_id, based_on, payload });
  }

  function resident() {
    const id = chance(0.6) && ids().length ? pick(ids()) : `res-${(words += 1)}`;
    server.residentWrites(id, pick(['A', 'B', 'C', 'D']), text(), { urgent: chance(0.4) });
  }

  /** The channels took replies, or say that they arrived. */
  function deliver() {
    const sent = [...server.messages.values()].filter((message) => message.d === 'out');
    if (sent.length) server.deliver(pick(sent).id, pick(['sent', 'delivered', 'failed']));
  }

  /** A question closed long ago, gone from the phones, comes back. */
  async function comeBack() {
    const id = pick(ids());
    if (!id) return;
    server.close(id);
    // Of two tabs each keeps house, and finds gone what the other took away.
    for (const phone of phones) if (phone.tabs.size === 1 && chance(0.5)) await open(phone);
    await clock.run(clock.now() + random() * 40_000);
    clock.jump(95 * DAY_MS);
    await clock.run(clock.now() + random() * 60_000);
    server.residentWrites(id, 'A', text());
    for (const tab of alive())
      clock.timer(() => void tab.store.compact().catch(() => {}), random() * 400);
  }

  /** A month passes, and the server forgets the photos that no message took; nothing is on any line as long as that. */
  async function forget() {
    const tab = pick(alive());
    if (tab) void compose(tab, 'reply', { photo: true }).catch(report);
    await clock.run(clock.now() + random() * 3_000);
    const modes = phones.map(({ network }) => network.mode);
    for (const { network } of phones) {
      network.heal();
      network.mode = 'off';
    }
    await clock.run(clock.now() + 300);
    clock.jump(31 * DAY_MS);
    server.sweep();
    for (const phone of phones)
      for (const { op_id, attempts } of phone.disks.outbox.data.get('outbox').values())
        if (attempts) forgotten.add(op_id);
    await clock.run(clock.now() + 300);
    for (const [i, { network }] of phones.entries()) network.mode = modes[i];
  }

  /** Areas are given, taken away and given back while the phone still walks through the first. */
  function flip(phone) {
    const { personId } = phone.world;
    const more = [...new Set([...server.people.get(personId).areas, 'C', 'D'])];
    server.setAreas(personId, more);
    for (const tab of phone.tabs) tab.store?.sendNow();
    const away_ms = random() * 300;
    clock.timer(() => server.setAreas(personId, ['A']), away_ms);
    clock.timer(() => server.setAreas(personId, more), away_ms + random() * 200);
  }

  async function act() {
    const phone = pick(phones);
    const tab = pick([...phone.tabs].filter((each) => each.store));
    const dice = random();
    if (dice < 0.1) resident();
    else if (dice < 0.12) deliver();
    else if (dice < 0.14) await comeBack();
    else if (dice < 0.24) phone.network.mode = pick(['good', 'flaky', 'flaky', 'off', 'portal']);
    else if (dice < 0.26) flip(phone);
    else if (dice < 0.28)
      server.setAreas(phone.world.personId, pick([['A', 'B'], ['B', 'C'], ['A'], ['A', 'B', 'C']]));
    else if (dice < 0.3) server.people.get(phone.world.personId).signedOut = chance(0.7);
    else if (dice < 0.315) clock.jump(pick([0.5, 40, 95]) * DAY_MS);
    else if (dice < 0.325) await forget();
    else if (dice < 0.34) crash();
    else if (dice < 0.37) {
      const full = chance(0.5);
      phone.disks.replica.full = full;
      phone.disks.outbox.full = full && chance(0.5);
      phone.wasFull ||= full;
    } else if (!tab) await open(phone);
    else if (dice < 0.45) end(phone, tab);
    else if (dice < 0.48) {
      for (const each of [...phone.tabs]) end(phone, each);
      // Only what was strictly durable surely survives an empty battery.
      phone.disks.replica.losePower(random);
      phone.disks.outbox.losePower(random);
      phone.lostPower = true;
    } else if (dice < 0.52) {
      if (phone.tabs.size < 2) await open(phone);
    } else if (dice < 0.67) void compose(tab, 'reply').catch(report);
    else if (dice < 0.72) void compose(tab, 'note').catch(report);
    else if (dice < 0.82) void change(tab).catch(report);
    else if (dice < 0.86) void takeBack(tab).catch(report);
    else if (dice < 0.91) void (chance(0.5) ? contact(tab) : meet(tab)).catch(report);
    else if (dice < 0.93) tab.store.sendNow();
    else if (dice < 0.945) void tab.store.compact().catch(() => {});
    else if (dice < 0.955) void composeTwice(phone).catch(() => {});
    else void resolve(tab).catch(report);
  }

  const report = (error) => failures.push(error);

  /** The server process ends; every transaction is whole, so only the answers under way are lost. */
  function crash() {
    for (const phone of phones) phone.network.cutAll();
  }

  // -- a history ---------------------------------------------------------------------------------------------------

  for (let i = 0; i < 4 + random() * 5; i += 1)
    server.residentWrites(`res-${(words += 1)}`, pick(['A', 'B', 'C', 'D']), text());
  for (const phone of phones) await open(phone);
  for (let i = 0; i < actions; i += 1) {
    await clock.run(clock.now() + (chance(0.6) ? random() * 60 : random() * 3_000));
    await act();
    checkVisible();
  }

  // -- healing -----------------------------------------------------------------------------------------------------

  await clock.run(clock.now() + 200);
  for (const phone of phones) {
    phone.disks.replica.full = false;
    phone.disks.outbox.full = false;
    if (!phone.tabs.size) await open(phone);
  }
  for (const person of server.people.values()) person.signedOut = false;
  await clock.run(clock.now() + 10);
  const healed_ms = clock.now();
  for (const phone of phones) phone.network.heal();
  for (const tab of alive())
    if (tab.store.status().connection === 'signed_out') tab.store.sendNow();
  await checkLiveness(healed_ms);
  await converge();
  if (failures.length)
    throw failures[0] instanceof Broken
      ? failures[0]
      : new Broken('no surprise', failures[0].stack);
  await checkOnce();
  checkTakenBack();
  await checkOutboxes();
  await checkDrafts();
  await checkOrder();
  checkAlerts();
  checkHeads();
  await checkEqual();
  for (const phone of phones) phone.killAll();
  return {
    operations: stored.size,
    requests: phones.reduce((sum, phone) => sum + phone.network.requests, 0),
  };

  /** Two round trips + 2 s after the network returns nothing waits in silence. */
  async function checkLiveness(from_ms) {
    for (const phone of phones) {
      if (phone.wasFull) continue;
      const round_ms = phone.network.latency_ms * 2 * 1.5 + 30; // the virtual disk takes its time as well
      const waiting = [...phone.disks.outbox.data.get('outbox').values()].filter((entry) =>
        mustLeave(entry, from_ms),
      );
      const by_ms = from_ms + 2 * round_ms + 2_000;
      phone.mustHaveLeft = { by_ms, ids: new Set(waiting.map((entry) => entry.op_id)) };
    }
    for (const phone of [...phones].sort(
      (a, b) => (a.mustHaveLeft?.by_ms ?? 0) - (b.mustHaveLeft?.by_ms ?? 0),
    )) {
      if (!phone.mustHaveLeft) continue;
      await clock.run(phone.mustHaveLeft.by_ms);
      const left = phone.disks.outbox.data.get('outbox');
      for (const entry of left.values()) {
        if (
          entry.state === 'waiting' &&
          !entry.last_error &&
          phone.mustHaveLeft.ids.has(entry.op_id)
        ) {
          throw new Broken(
            'liveness',
            `${phone.name} still waits with ${entry.kind} ${entry.op_id}`,
          );
        }
      }
    }
  }

  /** Photos take as many round trips as they have pieces, and undo takes its time; the rest must go. */
  function mustLeave(entry, from_ms) {
    return (
      entry.state === 'waiting' &&
      entry.not_before_ms <= from_ms &&
      !entry.payload.attachments?.length &&
      stored.has(entry.op_id) &&
      !holdsBack(entry)
    );
  }
  function holdsBack(entry) {
    return [...stored.values(), ...maybe.values()].some(
      (op) =>
        op.conversation_id === entry.conversation_id &&
        (op.payload.attachments?.length || op.not_before_ms > 0),
    );
  }

  async function converge() {
    const until_ms = clock.now() + 180_000;
    const settled = () =>
      phones.every((phone) => {
        const saved = phone.disks.replica.data.get('meta').get('saved');
        const waiting = [...phone.disks.outbox.data.get('outbox').values()].some((entry) =>
          ['waiting', 'accepted'].includes(entry.state),
        );
        const { hash } = server.scopeOf(server.people.get(phone.world.personId));
        return (
          saved &&
          saved.cursor === server.seq &&
          saved.scope?.hash === hash &&
          !saved.walks.length &&
          saved.personal &&
          !saved.checks.length &&
          !waiting
        );
      });
    if (!(await clock.run(until_ms, settled))) {
      const stuck = phones.map((phone) => {
        const saved = phone.disks.replica.data.get('meta').get('saved');
        const waiting = [...phone.disks.outbox.data.get('outbox').values()].map(
          (entry) => `${entry.kind} ${entry.state}`,
        );
        return `${phone.name} cursor ${saved?.cursor}/${server.seq} walks ${saved?.walks.length} checks ${saved?.checks.length} ${waiting}`;
      });
      throw new Broken('in step', stuck.join('; '));
    }
    await clock.run(clock.now() + 500);
  }

  /** Everything stored is applied exactly once, as it was written, or is with the person. */
  async function checkOnce() {
    const times = new Map();
    for (const effect of server.effects)
      times.set(effect.op_id, (times.get(effect.op_id) ?? 0) + 1);
    for (const [op_id, count] of times) {
      if (count > 1) throw new Broken('once', `${op_id} took effect ${count} times`);
      if (!stored.has(op_id) && !maybe.has(op_id))
        throw new Broken('once', `${op_id} was never written`);
    }
    for (const [op_id, op] of stored) {
      const count = times.get(op_id) ?? 0;
      if (discarded.has(op_id)) {
        if (count) throw new Broken('taken back', `${op_id} was discarded and applied`);
        continue;
      }
      const silent = op.kind === 'read' || op.kind === 'withdraw';
      if (count || (silent && server.ledger.get(op_id)?.outcome === 'applied')) continue;
      if (op.kind === 'read' && server.ledger.has(op_id)) continue;
      const here = [...op.phone.disks.outbox.data.get('outbox').values()].find(
        (entry) => entry.op_id === op_id,
      );
      if (!here && leaving.has(op_id)) continue;
      if (!here || here.state === 'accepted')
        throw new Broken('not lost', `${op.kind} ${op_id} of ${op.phone.name} is nowhere`);
    }
    const said = new Map(server.effects.map((effect) => [effect.op_id, effect]));
    for (const [op_id, effect] of said) {
      const op = stored.get(op_id) ?? maybe.get(op_id);
      // What a reply replaces is decided as it is stored; a phone that ended then does not tell.
      const { supersedes } = effect.payload;
      const written = op.stead && !stored.has(op_id) && supersedes ? { ...op.payload, supersedes } : op.payload;
      if (
        canonicalText(effect.payload) !== canonicalText(written) ||
        effect.c !== op.conversation_id
      ) {
        throw new Broken('as written', op_id);
      }
    }
    // What she did twice on purpose (send anyway) has two ids; the same words twice under two ids otherwise is a double.
    const texts = new Map();
    for (const { payload, op_id } of server.effects) {
      if (!payload.text) continue;
      if (texts.has(payload.text))
        throw new Broken(
          'once',
          `"${payload.text}" went out as ${texts.get(payload.text)} and ${op_id}`,
        );
      texts.set(payload.text, op_id);
    }
  }

  /** Of all versions of the same words one took effect, and none that the server agreed to withdraw. */
  function checkTakenBack() {
    const happened = new Set(server.effects.map((effect) => effect.op_id));
    const ended = (op_ids, what) => {
      const slipped = op_ids.find((op_id) => happened.has(op_id));
      if (slipped) throw new Broken('taken back', `${slipped} took effect beside ${what}`);
    };
    for (const { op_id, payload } of server.effects)
      ended([...(payload.supersedes ?? []), ...(replaced.get(op_id) ?? [])], `${op_id}, which replaces it`);
    for (const [op_id, { kind, payload }] of stored) {
      if (kind === 'withdraw' && server.ledger.get(op_id)?.outcome === 'applied')
        ended(payload.op_ids, `${op_id}, which withdrew it`);
    }
    for (const op_id of unasked) {
      if (!server.ledger.has(op_id))
        throw new Broken('taken back', `the server was never asked to refuse ${op_id}`);
    }
    for (const [op_id, asked] of withdrawn) {
      const here = [...stored.get(asked).phone.disks.outbox.data.get('outbox').values()];
      const told = discarded.has(asked) || here.some((entry) => entry.op_id === asked);
      if (happened.has(op_id) && !told && !leaving.has(asked))
        throw new Broken('taken back', `${op_id} was sent after all, and nobody is told`);
    }
  }

  /** What an outbox says of an operation is what the server decided, and every tab shows it. */
  async function checkOutboxes() {
    for (const phone of phones) {
      const entries = [...phone.disks.outbox.data.get('outbox').values()];
      for (const { op_id, state, result } of entries) {
        const known = server.ledger.get(op_id);
        if (result.reason === 'attachment_missing' && !forgotten.has(op_id))
          throw new Broken('photos', `${op_id} went before its photo`);
        if (!known || known.outcome !== state || result.reason !== known.reason) {
          throw new Broken(
            'verdict',
            `${op_id} is ${state} on ${phone.name}, ${known?.outcome} on the server`,
          );
        }
      }
      const ids = canonicalText(entries.map((entry) => entry.op_id).sort());
      for (const tab of phone.tabs) {
        const shown = canonicalText((await tab.store.outbox()).map((entry) => entry.op_id).sort());
        if (shown !== ids)
          throw new Broken('shown', `a tab of ${phone.name} shows another outbox than it has`);
      }
    }
  }

  async function checkDrafts() {
    for (const phone of phones) {
      const drafts = phone.disks.outbox.data.get('drafts');
      const outbox = [...phone.disks.outbox.data.get('outbox').values()];
      const exists = ({ op_id }) =>
        outbox.some((entry) => entry.op_id === op_id) ||
        server.ledger.has(op_id) ||
        leaving.has(op_id);
      const sent = [...stored.values(), ...maybe.values()].filter(
        (op) => op.phone === phone && exists(op),
      );
      for (const [key, { said, supersedes = [], was }] of phone.drafts) {
        const kept = drafts.get(key)?.text ?? '';
        const went = (op) => op.payload.text?.startsWith(said) && ![...supersedes, was].includes(op.op_id);
        if (!kept && !sent.some(went))
          throw new Broken('drafts', `"${said}" is gone from ${phone.name}`);
      }
      for (const op of stored.values()) {
        if (
          op.phone !== phone ||
          op.keep_draft ||
          !COMPOSED.has(op.kind) ||
          discarded.has(op.op_id) ||
          leaving.has(op.op_id)
        )
          continue;
        const key = op.kind === 'note' ? `${op.conversation_id}:note` : op.conversation_id;
        if (drafts.get(key)?.text === op.payload.text)
          throw new Broken('drafts', `"${op.payload.text}" is both sent and a draft`);
      }
    }
  }

  /** At no instant is something she wrote shown nowhere on her own phone. */
  function checkVisible() {
    for (const phone of phones) {
      const replica = phone.disks.replica.data;
      const saved = replica.get('meta').get('saved');
      // After a power failure the replica may be behind what was let go; the next pull brings it.
      if (phone.lostPower || !saved || saved.walks.length || saved.checks.length) continue;
      const waiting = new Set(
        [...phone.disks.outbox.data.get('outbox').values()].map((entry) => entry.op_id),
      );
      for (const { op_id, c, kind } of server.effects) {
        const op = stored.get(op_id);
        if (
          op?.phone !== phone ||
          !COMPOSED.has(kind) ||
          waiting.has(op_id) ||
          discarded.has(op_id) ||
          leaving.has(op_id)
        )
          continue;
        if (!replica.get('rows').has(`c:${c}`)) continue;
        // It left her sight, and she was refused the rest of it; the tombstone comes with the next pull.
        const { areas } = server.people.get(phone.world.personId);
        if (!areas.has(server.conversations.get(c)?.area)) continue;
        if (
          replica.get('rows').has(`m:${c}:${op_id}`) ||
          replica.get('pages').get(c)?.includes(op_id)
        )
          continue;
        throw new Broken('visible', `${kind} ${op_id} is shown nowhere on ${phone.name}`);
      }
    }
  }

  /** No reply went out over what its writer had not seen. */
  function checkHeads() {
    for (const message of server.messages.values()) {
      const op = stored.get(message.id) ?? maybe.get(message.id);
      if (!op) continue;
      if (server.ledger.get(message.id)?.outcome !== 'applied')
        throw new Broken('held', `${message.id} was sent, but the server says otherwise`);
      if (op.kind !== 'reply') continue;
      const between = server.conversations
        .get(message.c)
        .messages.slice(op.based_on, message.position - 1)
        .filter((other) => other.by !== op.person && (other.d === 'in' || other.d === 'out'));
      if (between.length) throw new Broken("over a colleague's head", message.id);
    }
  }

  /** An alert is stopped once, by the first who did; whoever was told that she did, did. */
  function checkAlerts() {
    const stopped = new Map();
    for (const { id, acknowledged } of server.alerts) {
      if (acknowledged.length > 1) throw new Broken('acknowledged once', id);
      for (const { op_id } of acknowledged) stopped.set(op_id, id);
    }
    for (const [op_id, { kind }] of [...stored, ...maybe]) {
      const known = server.ledger.get(op_id);
      if (kind !== 'acknowledge' || known?.outcome !== 'applied') continue;
      if (!known.detail && !stopped.has(op_id)) throw new Broken('acknowledged', `${op_id} stopped nothing`);
    }
    for (const { id, alert } of server.conversations.values()) {
      const was = server.alerts.find((each) => each.id === alert?.id);
      if (alert && (alert.state === 'acknowledged') !== was.acknowledged.length > 0) throw new Broken('acknowledged', `${id} says ${alert.state}`);
    }
  }

  /** In each conversation a phone's operations took effect in the order in which they were written. */
  async function checkOrder() {
    const last = new Map();
    for (const { op_id, c, kind } of server.effects) {
      const op = stored.get(op_id);
      // What she took back waits no longer: a copy that is still on its way may overtake what she wrote since.
      if (!op || kind === 'read' || leaving.has(op_id)) continue;
      const key = `${op.phone.name} ${c}`;
      if (op.n < (last.get(key) ?? 0))
        throw new Broken('order', `${kind} ${op_id} came too early in ${c}`);
      last.set(key, op.n);
    }
  }

  /** Every phone shows what the server has: the open tabs, and one that is opened afresh. */
  async function checkEqual() {
    for (const phone of phones) {
      const fresh = await phone.open({ sync: false });
      void fresh.ready.catch(report);
      await clock.run(clock.now() + 100);
      for (const tab of [...phone.tabs]) {
        const past = (head) => client.replica.isPast(head, WINDOW_DAYS, clock.now());
        let shown = null;
        void dumpStore(tab.store, { past }).then(
          (dump) => (shown = dump),
          (error) => (shown = `unreadable: ${error.message}`),
        );
        await clock.run(clock.now() + 20_000, () => shown !== null);
        const wanted = canonical(server.expected(phone.world.personId, past));
        const where = firstDifference(wanted, shown, tab === fresh ? 'reopened' : 'open');
        if (where) throw new Broken('equal', `${phone.name} ${where}`);
      }
    }
  }
}

const canonicalText = (value) => JSON.stringify(canonical(value));

/** @returns {string|null} */
function firstDifference(wanted, shown, path) {
  if (JSON.stringify(wanted) === JSON.stringify(shown)) return null;
  if (typeof wanted !== 'object' || typeof shown !== 'object' || !wanted || !shown) {
    return `${path}: ${JSON.stringify(wanted)?.slice(0, 200)} on the server, ${JSON.stringify(shown)?.slice(0, 200)} here`;
  }
  for (const key of new Set([...Object.keys(wanted), ...Object.keys(shown)])) {
    const inside = firstDifference(wanted[key], shown[key], `${path}.${key}`);
    if (inside) return inside;
  }
  return null;
}
