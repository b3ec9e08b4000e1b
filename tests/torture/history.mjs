/**
 * One history: up to three phones of one town, residents, and everything that goes wrong, from one seed. The seed decides
 * what is done; real processes decide how it interleaves, so a seed replays a history's deeds, not its every microsecond.
 */
import { IDBFactory } from '../js/deps.mjs';
import { createPhone } from '../js/harness.mjs';
import { seeded } from '../js/sim/clock.mjs';
import { Broken, checkAll, difference, isSame } from './checks.mjs';

const LIVENESS_MS = 2_000;
const PATIENCE_MS = 60_000;

export const pause = (delay_ms) => new Promise((resolve) => setTimeout(resolve, delay_ms));

/**
 * Look again until it is true.
 * @param {() => any} found
 * @param {number} patience_ms
 */
export async function until(found, patience_ms) {
  const end_ms = Date.now() + patience_ms;
  for (;;) {
    const value = await found();
    if (value) return value;
    if (Date.now() > end_ms) return null;
    await pause(15);
  }
}

export function createHistory(world) {
  const { client, seed, town, lines, ask } = world;
  const random = seeded(seed);
  const chance = (p) => random() < p;
  const pick = (list) => list[Math.floor(random() * list.length)];
  const letter = () => town.areas[pick(['A', 'B', 'C', 'D'])];
  const history = {
    ...world,
    failure: null,
    /** Every operation whose storing resolved; a phone's death before that leaves it in `maybe`. */
    stored: new Map(),
    maybe: new Map(),
    discarded: new Set(),
    /** Taken back while they may have been on their way: sent or not, but in one version. */
    leaving: new Set(),
    withdrawn: [],
    /** What a reply took the place of, in all its versions, by the reply that did. */
    replaced: new Map(),
    dismissed: new Set(),
    perhapsDiscarded: new Set(),
    /** What residents wrote and the server confirmed. */
    questions: new Map(),
    failures: [],
    requests: 0,
    liveness_ms: 0,
    town,
    mails: [],
    fetchPage,
  };
  let words = 0;
  const token = () => `t${seed}n${(words += 1)}.`;
  const say = () => `${pick(['De heg', 'De lamp', 'De stoep', 'Een boom', 'Mijn fiets'])} ${token()}`;
  const doing = new Set();

  const names = ['anna', 'bram', pick(['anna', 'bram', 'chris'])].slice(0, 2 + Math.floor(random() * 2));
  const used = {};
  history.phones = names.map((name, i) => {
    const nth = used[name] ?? 0;
    used[name] = nth + 1;
    return newPhone(name, town.cookies[name][nth], i);
  });

  function newPhone(name, cookie, i) {
    const factory = new IDBFactory();
    const person = town.people[name];
    const own = seeded(Math.floor(random() * 2 ** 31));
    const skew_ms = pick([0, 0, 0, 400_000, -400_000]);
    const phone = createPhone({
      client,
      personId: person,
      openDisks: async () => ({
        replica: await client.db.openReplica(factory, person),
        outbox: await client.db.openOutbox(factory, person),
      }),
      fetch: (path, init = {}) => fetchThrough(phone, path, init),
      now: () => Date.now() + skew_ms,
      timer: (work, delay_ms) => {
        const id = setTimeout(work, delay_ms);
        return () => clearTimeout(id);
      },
      random: own,
    });
    return Object.assign(phone, { factory, name: `${name}-${i}`, who: name, person, cookie, line: lines[i] });
  }

  async function fetchThrough(phone, path, init) {
    history.requests += 1;
    if (phone.healed) phone.trips.push(`${init.method ?? 'GET'} ${path.slice(7, 30)} at ${Date.now() - phone.healed}`);
    const { cookie } = phone;
    const headers = { ...init.headers, cookie: `stoep_session=${cookie}`, origin: world.origin };
    const arrived = phone.healed ? world.pace.leaves() : () => {};
    try {
      const response = await fetch(`http://127.0.0.1:${phone.line.port}${path}`, { ...init, headers });
      const body = await response.arrayBuffer();
      // Signing in leaves the page, which ends what it had asked before; she is not signed out once more afterwards.
      if (cookie !== phone.cookie) throw new TypeError('Failed to fetch');
      const { ok, status, headers: given } = response;
      return { ok, status, type: response.type, headers: given, arrayBuffer: async () => body };
    } finally {
      arrived();
    }
  }

  // -- what people do ------------------------------------------------------------------------------------------------

  const tabs = (phone) => [...phone.tabs].filter((tab) => tab.store);
  const conversationOn = (tab) => pick([...tab.store.list({}), ...tab.store.list({ filter: 'closed' })]);

  async function open(phone) {
    const tab = await phone.open();
    tab.ready.catch((error) => history.failures.push(error));
    await tab.ready;
    return tab;
  }

  function end(phone, tab) {
    phone.kill(tab);
    for (const [op_id, op] of tab.storing ?? []) history.maybe.set(op_id, op);
    // Whether it was taken out before the phone died, only the disk knows.
    for (const op_id of tab.removing ?? []) history.perhapsDiscarded.add(op_id);
  }

  /** @returns {Promise<boolean>} whether `act` took the operation out */
  async function takeOut(tab, op_id, act) {
    tab.removing ??= new Set();
    tab.removing.add(op_id);
    try {
      if (!(await act())) return false;
      history.discarded.add(op_id);
      return true;
    } finally {
      tab.removing.delete(op_id);
    }
  }

  /** @returns {Promise<boolean>} whether it was stored */
  async function enqueue(tab, op, store = (given) => tab.store.enqueue(given)) {
    const { phone } = tab;
    const op_id = tab.store.newId();
    const known = { ...op, op_id, phone, person: phone.person };
    tab.storing ??= new Map();
    tab.storing.set(op_id, known);
    const entry = await store({ ...op, op_id });
    tab.storing.delete(op_id);
    // What a reply in the stead of another replaces is decided as it is stored.
    const payload = history.replaced.has(op_id) ? entry?.payload : known.payload;
    if (entry) history.stored.set(op_id, { ...known, payload, n: entry.n });
    return entry !== null;
  }

  async function compose(tab, kind) {
    const head = conversationOn(tab);
    if (!head) return;
    const text = say();
    if (chance(0.3)) await tab.store.saveDraft(kind === 'note' ? `${head.id}:note` : head.id, { text });
    const attachments = chance(0.12) ? [await takePhoto(tab)] : [];
    const not_before_ms = kind === 'reply' && chance(0.1) ? tab.phone.world.now() + 300 : 0;
    await enqueue(tab, { kind, conversation_id: head.id, based_on: head.position, payload: { text, attachments }, not_before_ms });
    if (chance(0.2)) {
      // Sent too soon: she wants it back while it may be on its way.
      await pause(random() * 60);
      const onItsWay = (await tab.store.outbox()).find((entry) => entry.payload.text === text && entry.state === 'waiting' && entry.attempts > 0);
      if (onItsWay && !tab.life.dead) await takeBack(tab, onItsWay).catch(unlessSent);
    }
  }

  /** @param {Error} error */
  function unlessSent(error) {
    if (error.constructor.name !== 'PossiblySent') throw error;
  }

  async function takePhoto(tab) {
    const id = tab.store.newId();
    const blob = new Blob([pick(world.photos)], { type: 'image/jpeg' });
    await client.outbox.addPhoto(await diskOf(tab.phone, 'Outbox'), id, { blob, type: 'image/jpeg', name: 'foto.jpg', uploaded_bytes: 0 });
    return id;
  }

  async function change(tab) {
    const urgent = tab.store.list({}).filter(({ alert }) => alert);
    const head = urgent.length && chance(0.4) ? pick(urgent) : conversationOn(tab);
    if (!head) return;
    const alerted = [
      { kind: 'acknowledge', payload: {} },
      { kind: 'snooze', payload: { minutes: 15 } },
    ];
    const made = pick(head.alert && chance(0.6) ? alerted : [
      pick(alerted),
      { kind: 'status', payload: { status: pick(['open', 'waiting', 'closed']) } },
      { kind: 'assign', payload: { person: pick([town.people.anna, town.people.bram, null]) } },
      { kind: 'area', payload: { area: letter() } },
      { kind: 'topics', payload: { add: [pick(['groen', 'licht'])], remove: [] } },
      { kind: 'urgent', payload: { urgent: chance(0.5), reason: 'haast' } },
      { kind: 'read', payload: { position: head.in_position } },
    ]);
    await enqueue(tab, { conversation_id: head.id, based_on: head.position, ...made });
  }

  async function contact(tab) {
    const conversation_id = tab.store.newId();
    const payload = { ...CONTACT, text: say(), area: pick(town.teams[tab.phone.who]), email: chance(0.5) ? `${world.residents}+k${seed}@stoep.test` : '' };
    const group = !payload.email && chance(0.4);
    if (group) Object.assign(payload, { via: 'group', source: 'whatsapp', group: 'Onze straat' });
    await enqueue(tab, { kind: 'contact', conversation_id, based_on: null, payload });
    if (chance(0.4)) {
      await enqueue(tab, { kind: 'note', conversation_id, based_on: 0, payload: { text: say(), attachments: [], ...(group && { by_hand_at_ms: Date.now() }) } });
    }
  }

  /** A question in the hall, perhaps with a photo, and perhaps at once what becomes of it. */
  async function meet(tab) {
    const conversation_id = tab.store.newId();
    const attachments = chance(0.2) ? [await takePhoto(tab)] : [];
    const payload = { meeting: town.meeting, text: say(), asked_at_ms: tab.phone.world.now(), attachments };
    const kept = await enqueue(tab, { kind: 'question', conversation_id, based_on: null, payload });
    if (!kept || chance(0.5)) return;
    const asked = [...history.stored].findLast(([, op]) => op.kind === 'question' && op.conversation_id === conversation_id);
    if (asked) await enqueue(tab, { kind: 'fate', conversation_id, based_on: 0, payload: { question: asked[0], fate: 'answered', text: say() } });
  }

  /** She looks at what needs her, or takes something back. */
  async function resolve(tab) {
    const entries = await tab.store.outbox();
    const held = entries.filter(({ state }) => state === 'held');
    const entry = pick(held.length && chance(0.7) ? held : entries);
    if (!entry || entry.state === 'accepted') return;
    // She reads there that it was too late, or lets it be sent after all.
    if (entry.kind === 'withdraw') for (const op_id of entry.payload.op_ids) history.dismissed.add(op_id);
    try {
      if (entry.kind === 'reply' && entry.result?.reason !== 'already_sent' && chance(0.25)) {
        await replace(tab, entry);
      } else if (entry.state === 'waiting' && entry.attempts > 0 && (entry.kind === 'reply' || entry.kind === 'note')) {
        await takeBack(tab, entry);
      } else if (entry.state === 'held' && entry.result.reason !== 'already_sent' && chance(0.6)) {
        // Impatient, or unsure whether it was heard: she may press it in each tab that she has open.
        const pressed = tabs(tab.phone).filter((each) => each === tab || chance(0.7));
        await Promise.all(pressed.map((each) => sendAnyway(each, entry)));
      } else {
        const how = chance(0.5) ? 'discard' : 'edit';
        await takeOut(tab, entry.op_id, () => tab.store[how](entry.op_id));
      }
    } catch (error) {
      unlessSent(error);
    }
  }

  function sendAnyway(tab, { op_id: held, kind, conversation_id, payload: before, based_on: then }) {
    const head = [...tab.store.list({}), ...tab.store.list({ filter: 'closed' })].find(({ id }) => id === conversation_id);
    const { supersedes, ...payload } = before;
    const based_on = head?.position ?? then;
    const again = ({ op_id }) => tab.store.sendAnyway(held, { op_id, based_on });
    return takeOut(tab, held, () => enqueue(tab, { kind, conversation_id, payload, based_on, keep_draft: true }, again));
  }

  /** Another reply goes in the stead of one that waits or was refused; her own words are a draft again. */
  async function replace(tab, { op_id: old, conversation_id, payload: before, based_on: then }) {
    const head = [...tab.store.list({}), ...tab.store.list({ filter: 'closed' })].find(({ id }) => id === conversation_id);
    const based_on = head?.position ?? then;
    const payload = { text: say(), attachments: [] };
    history.leaving.add(old);
    const kept = await enqueue(tab, { kind: 'reply', conversation_id, payload, based_on }, ({ op_id }) => {
      history.replaced.set(op_id, [...(before.supersedes ?? []), old]);
      return tab.store.instead(old, { op_id, payload, based_on });
    });
    if (!kept || tab.life.dead) return;
    const draft = await tab.store.draft(conversation_id);
    if (tab.phone.tabs.size === 1 && !draft?.text.includes(before.text)) throw new Broken('drafts', `"${before.text}" is gone from ${tab.phone.name}`);
  }

  /** Words that may be on their way: dropped, or sent anew in another version. */
  async function takeBack(tab, entry) {
    const { op_id, kind, conversation_id } = entry;
    const edit = chance(0.6);
    history.leaving.add(op_id);
    if (!(await tab.store.takeBack(op_id, { edit }))) return;
    const versions = [...(entry.payload.supersedes ?? []), op_id];
    if (!edit) {
      history.withdrawn.push({ phone: tab.phone, versions });
      return;
    }
    const head = [...tab.store.list({}), ...tab.store.list({ filter: 'closed' })].find(({ id }) => id === conversation_id);
    const draft = await tab.store.draft(kind === 'note' ? `${conversation_id}:note` : conversation_id);
    const supersedes = draft?.fields?.supersedes;
    if (!supersedes) return;
    // The same words but for the end: the resident must meet them once, in whichever version.
    const payload = { text: `${entry.payload.text} Nader bekeken.`, attachments: entry.payload.attachments, supersedes };
    await enqueue(tab, { kind, conversation_id, based_on: head?.position ?? entry.based_on, payload });
  }

  /** A resident asks, or adds to what she asked; knocks again until the server says that it is in. */
  async function resident() {
    const known = chance(0.5) ? pick([...history.questions.values()]) : null;
    const channel = known?.channel ?? pick(['web', 'email']);
    const id = known?.conversation ?? crypto.randomUUID();
    const secret = known ? known.secret : channel === 'web' ? `geheim-${id}` : '';
    const mailed = channel === 'email' || chance(0.2);
    const said = {
      conversation: id,
      message: crypto.randomUUID(),
      account: town.accounts[channel],
      area: letter(),
      address: mailed ? `${world.residents}+${id.slice(0, 8)}@stoep.test` : id,
      token: `tok${id.replaceAll('-', '')}`,
      secret,
      name: 'Jantje',
      text: say(),
      urgent: chance(0.3),
    };
    await knock('resident', said);
    history.questions.set(id, { conversation: id, channel, secret });
  }

  const knock = (door, said) => until(() => post(`/torture/${door}`, said), PATIENCE_MS);
  async function post(path, said) {
    try {
      const answer = await fetch(world.server + path, { method: 'POST', body: JSON.stringify(said) });
      return answer.ok ? await answer.json() : null;
    } catch {
      return null; // the server is down just now
    }
  }

  async function fetchPage(secret) {
    const answer = await fetch(`${world.server}/v/${secret}`);
    return answer.text();
  }

  async function areas(phone) {
    const all = Object.values(town.areas);
    const some = chance(0.4) ? town.teams[phone.who] : all.filter(() => chance(0.6));
    await knock('areas', { team: `team-${phone.person}`, areas: some });
  }

  async function signIn(phone) {
    const begun = await knock('session', { person: phone.person });
    phone.cookie = begun.secret;
    phone.signedOut = false;
  }

  async function act() {
    const phone = pick(history.phones);
    const tab = pick(tabs(phone));
    const dice = random();
    if (dice < 0.12) await resident();
    else if (dice < 0.22) await ask('weather', { line: phone.line.at, mode: pick(['good', 'flaky', 'flaky', 'off', 'portal']) });
    else if (dice < 0.25) await ask('cut', { line: phone.line.at });
    else if (dice < 0.27) await areas(phone);
    else if (dice < 0.285) {
      await knock('signed-out', { secret: phone.cookie });
      phone.signedOut = true;
    } else if (dice < 0.295) await ask('kill');
    else if (!tab) await open(phone);
    else if (dice < 0.36) end(phone, tab);
    else if (dice < 0.39) {
      if (phone.tabs.size < 2) await open(phone);
    } else if (dice < 0.6) later(compose(tab, 'reply'), tab);
    else if (dice < 0.67) later(compose(tab, 'note'), tab);
    else if (dice < 0.84) later(change(tab), tab);
    else if (dice < 0.88) later(chance(0.5) ? contact(tab) : meet(tab), tab);
    else if (dice < 0.95) tab.store.sendNow();
    else if (dice < 0.96) later(tab.store.compact(), tab);
    else later(resolve(tab), tab);
  }

  /** She does not wait for the disk before she does the next thing; a phone that died never answers. */
  function later(work, tab) {
    const settled = work.catch((error) => tab.life.dead || history.failures.push(error));
    doing.add(settled);
    void settled.then(() => doing.delete(settled));
  }

  // -- the phases ----------------------------------------------------------------------------------------------------

  const phases = {
    async begin() {
      for (let i = 0; i < 2 + random() * 3; i += 1) await resident();
      for (const phone of history.phones) await open(phone);
    },

    async chaos() {
      for (let i = 0; i < world.actions; i += 1) {
        await pause(chance(0.6) ? random() * 12 : random() * 120);
        await act();
      }
    },

    async heal() {
      // The network is whole and the server up since a moment ago; what hung was cut.
      for (const phone of history.phones) {
        phone.healed = Date.now();
        phone.trips = [];
        if (phone.signedOut) await signIn(phone);
        if (!tabs(phone).length) await open(phone);
      }
      const from_ms = Date.now();
      const watched = new Map();
      for (const phone of history.phones) {
        const waiting = (await outboxOf(phone)).filter((entry) => mustLeave(phone, entry));
        watched.set(phone, new Set(waiting.map((entry) => entry.op_id)));
        for (const tab of tabs(phone)) if (tab.store.status().connection === 'signed_out') tab.store.sendNow();
      }
      await Promise.all(history.phones.map((phone) => leaves(phone, watched.get(phone), from_ms)));
    },

    async converge() {
      for (const phone of history.phones) {
        const settled = await until(async () => {
          for (const tab of tabs(phone)) tab.store.sendNow();
          const entries = await outboxOf(phone);
          return !entries.some((entry) => ['waiting', 'accepted'].includes(entry.state));
        }, PATIENCE_MS);
        if (!settled) {
          const left = (await outboxOf(phone)).filter((entry) => ['waiting', 'accepted'].includes(entry.state));
          throw new Broken('in step', `${phone.name} keeps ${left.map((entry) => `${entry.kind} ${entry.state} ${entry.last_error}`)}`);
        }
      }
    },

    async check() {
      const tools = { outboxOf, open: (phone) => phone.open({ sync: false }) };
      const end_ms = Date.now() + PATIENCE_MS;
      const look = () => ask('truth', { town: town.number });
      for (history.truth = await look(); ; ) {
        for (const phone of history.phones) await follow(phone, history.truth.head);
        const where = await difference(history, tools);
        if (!where) break;
        // An urgent question's next step, or silence that lasted too long, comes by the server's own clock: then a phone
        // may be ahead of the truth that was read. It is wrong when nothing happened in between.
        const now = await look();
        if (isSame(history.truth, now) || Date.now() > end_ms) throw new Broken('equal', where);
        history.truth = now;
      }
      if (history.failures.length) throw new Broken('no surprise', history.failures[0].stack);
      await checkAll(history, tools);
    },
  };

  /** Everything up to this place in the feed is on the phone, and shown in its open tabs. */
  async function follow(phone, head) {
    const [tab] = tabs(phone);
    let saved;
    const there = await until(async () => {
      for (const each of tabs(phone)) each.store.wake('focus');
      const disk = await diskOf(phone, 'Replica');
      saved = await client.replica.loadSaved(disk);
      return saved.cursor >= head && !saved.walks.length && saved.personal && !saved.checks.length;
    }, PATIENCE_MS);
    if (!there) throw new Broken('in step', `${phone.name} at ${saved.cursor} of ${head}, ${tab.store.status().connection}`);
    // Storing goes before showing; what was just stored is taken in by every open tab.
    await pause(30);
  }

  const diskOf = (phone, which) => (phone.own ??= {})[which] ?? openDisk(phone, which);
  async function openDisk(phone, which) {
    phone.own[which] = await client.db[`open${which}`](phone.factory, phone.person);
    return phone.own[which];
  }
  const outboxOf = async (phone) => client.outbox.list(await diskOf(phone, 'Outbox'));

  /** Photos take a round trip a piece, and undo takes its time; everything else must go. */
  function mustLeave(phone, entry) {
    const slow = (op) => op.payload.attachments?.length || op.not_before_ms > 0;
    const sameThread = [...history.stored.values(), ...history.maybe.values()].filter((op) => op.conversation_id === entry.conversation_id);
    return entry.state === 'waiting' && history.stored.has(entry.op_id) && !sameThread.some(slow);
  }

  /** Two round trips + 2 s after the network returns nothing waits in silence. */
  async function leaves(phone, ids, from_ms) {
    for (;;) {
      const left = (await outboxOf(phone)).filter((entry) => entry.state === 'waiting' && !entry.last_error && ids.has(entry.op_id));
      const took_ms = Date.now() - from_ms;
      if (!left.length) {
        if (ids.size) history.liveness_ms = Math.max(history.liveness_ms, took_ms - world.pace.since(from_ms).late_ms);
        return;
      }
      const { slowest_ms, late_ms } = world.pace.since(from_ms);
      const allowed_ms = LIVENESS_MS + 2 * Math.max(50, slowest_ms) + late_ms;
      if (took_ms > allowed_ms) {
        const stand = tabs(phone).map((tab) => tab.store.status().connection);
        const why = `${stand}, tried ${left[0].attempts} times, slowest round trip ${slowest_ms} ms, late ${late_ms} ms, asked ${phone.trips.join(', ')}`;
        throw new Broken('liveness', `${phone.name} waits ${took_ms} ms with ${left[0].kind}, allowed ${allowed_ms}: ${why}`);
      }
      await pause(15);
    }
  }

  history.run = async (phase) => {
    if (history.failure) return;
    try {
      await phases[phase]();
    } catch (error) {
      history.failure = error instanceof Broken ? error : new Broken('no surprise', error.stack);
    }
  };

  history.end = () => {
    for (const phone of history.phones) phone.killAll();
    const { failure, stored, requests, liveness_ms } = history;
    return { seed, failure: failure && `${failure.message}`, operations: stored.size, requests, liveness_ms };
  };
  return history;
}

const CONTACT = {
  via: 'phone',
  name: 'Fatma',
  kind: 'resident',
  phone: '',
  place: '',
  urgent: false,
  attachments: [],
  happened_at_ms: 0,
  consent: true,
  answered: false,
};
