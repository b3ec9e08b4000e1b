/**
 * The sync core: `(state, event) → [state, effects]`. No I/O, no clock, no chance: those arrive in events, so that a
 * whole history can be replayed from a seed. `driver.js` carries out the effects.
 *
 * The order of operations, decided in `selectBatch`:
 * - operations of one conversation leave in the order in which they were written; one that cannot leave yet (its undo
 *   time runs, its photos are not up, the server choked on it) holds back the later ones *of that conversation* only;
 * - `read` is exempt: it only ever moves a mark forward, so it commutes with everything;
 * - an operation that has its answer (held and rejected too) holds back nothing: a later one was written by a person
 *   who could see that, and the server judges it by its own `based_on`.
 */

/** @import { Answer, Entry, Failure, Op, Saved } from '../types.js' */

export const MAX_OPS = 200;
/** The server takes 4 MiB inflated; smaller requests lose less on a connection that breaks. */
export const MAX_BATCH_CHARS = 512 * 1024;
export const FROM_THE_TOP = Number.MAX_SAFE_INTEGER;
const PULL_LIMIT = 500;
const BACKOFF_MS = 400;
/** A person waits for what she wrote: the network may be back within two round trips + 2 s of this. */
const BACKOFF_CAP_WAITING_MS = 1_500;
const BACKOFF_CAP_MS = 30_000;
const POLL_MS = 30_000;
const POLL_BESIDE_STREAM_MS = 300_000;
const STRIKES_BEFORE_PROBE = 3;
const SIGNED_OUT_POLL_MS = 60_000;
const ROOM_RETRY_MS = 10_000;

/**
 * @typedef {'online'|'offline'|'signed_out'|'revoked'|'portal'} Connection
 *
 * @typedef {''|'full'|'failing'} Trouble  of the phone's own storage
 *
 * @typedef {{op_id: string, blob: string}} Upload  a photo that an operation waits for
 *
 * @typedef {{name: 'first'} | {name: 'personal', scope: string} | {name: 'walk', before: number, scopes: string[]|null, scope: string}
 *   | {name: 'conversation', id: string, scope: string} | {name: 'upload', op_id: string, blob: string}
 *   | {name: 'sync', ops: Entry[], after: number, scope: string, limit: number}} Request
 *
 * @typedef {{type: 'wake', why: string}
 *   | {type: 'poke', seq: number}
 *   | {type: 'seen', visible?: boolean, stream?: boolean, busy?: boolean}
 *   | {type: 'locked'}
 *   | {type: 'loaded', saved: Saved, entries: Entry[], uploads: Upload[]}
 *   | {type: 'answered', request: Request, answer: Answer|null}
 *   | {type: 'failed', request: Request, failure: Failure}
 *   | {type: 'stored', saved: Saved}
 *   | {type: 'broke', quota: boolean}
 *   | {type: 'stop'}} Happening
 * @typedef {Happening & {now: number, random: number, onLine: boolean}} Event
 *
 * @typedef {{do: 'lock'} | {do: 'unlock'} | {do: 'load'} | {do: 'ask', request: Request}
 *   | {do: 'store', request: Request, answer: Answer} | {do: 'timer', at_ms: number|null} | {do: 'wipe'}
 *   | {do: 'reset'} | {do: 'make_room'} | {do: 'refuse', op_id: string, reason: string}
 *   | {do: 'complain', op_id: string, error: string} | {do: 'idle'}} Effect
 *
 * @typedef {object} State
 * @property {Connection} connection
 * @property {'none'|'asked'|'held'} lock
 * @property {boolean} loading
 * @property {Saved|null} saved
 * @property {Entry[]} entries
 * @property {Upload[]} uploads
 * @property {Request|null} asking
 * @property {boolean} storing
 * @property {{request: Request, answer: Answer}|null} ahead  the next walk page, fetched while the last one is stored
 * @property {boolean} heard  the last request was answered
 * @property {boolean} pull
 * @property {boolean} push  something was queued since the outbox was last read
 * @property {number} failures
 * @property {number} retry_at_ms
 * @property {number} strikes  requests with operations that the server choked on, in a row
 * @property {number} batch_max
 * @property {boolean} bisecting
 * @property {Record<string, number>} aside  operation → when to try it again, alone
 * @property {number} upload_at_ms
 * @property {Trouble} storage
 * @property {boolean} broken  storing failed while the next page was on its way
 * @property {boolean} visible
 * @property {boolean} stream
 * @property {boolean} busy  the screen is being drawn: nothing is fetched that nobody waits for
 * @property {boolean} stopped
 */

/** @returns {State} */
export function initial() {
  return {
    connection: 'online',
    lock: 'none',
    loading: false,
    saved: null,
    entries: [],
    uploads: [],
    asking: null,
    storing: false,
    ahead: null,
    heard: false,
    pull: false,
    push: false,
    failures: 0,
    retry_at_ms: 0,
    strikes: 0,
    batch_max: MAX_OPS,
    bisecting: false,
    aside: {},
    upload_at_ms: 0,
    storage: '',
    broken: false,
    visible: true,
    stream: false,
    busy: false,
    stopped: false,
  };
}

/** @returns {Saved} */
export function emptySaved() {
  return {
    cursor: null,
    version: 0,
    walks: [],
    personal: false,
    scope: null,
    newest: 0,
    rows: 0,
    have: 0,
    total: 0,
    checks: [],
    promised: [],
    in_step_ms: 0,
    build: '',
  };
}

/**
 * @param {State} before
 * @param {Event} event
 * @returns {[State, Effect[]]}
 */
export function step(before, event) {
  const state = { ...before };
  /** @type {Effect[]} */
  const effects = [];
  if (state.stopped) return [state, effects];
  switch (event.type) {
    case 'wake':
      wake(state, event.why, event, effects);
      break;
    case 'poke':
      if (event.seq > (state.saved?.cursor ?? -1)) wake(state, 'poke', event, effects);
      break;
    case 'seen':
      if (event.visible !== undefined) state.visible = event.visible;
      if (event.stream !== undefined) state.stream = event.stream;
      if (event.busy !== undefined) state.busy = event.busy;
      if (state.lock === 'none') rest(state, event, effects);
      break;
    case 'locked':
      state.lock = 'held';
      load(state, effects);
      break;
    case 'loaded':
      state.loading = false;
      state.push = false;
      Object.assign(state, { saved: event.saved, entries: event.entries, uploads: event.uploads });
      state.aside = stillWaiting(state.aside, event.entries);
      advance(state, event, effects);
      break;
    case 'answered':
      answered(state, event, event.request, event.answer, effects);
      break;
    case 'failed':
      failed(state, event, event.request, event.failure, effects);
      break;
    case 'stored':
      stored(state, event, event.saved, effects);
      break;
    case 'broke':
      broke(state, event, event.quota, effects);
      break;
    case 'stop':
      state.stopped = true;
      effects.push({ do: 'timer', at_ms: null }, { do: 'unlock' });
      break;
  }
  return [state, effects];
}

/**
 * What may leave now, in order. Pure, and the only place that decides about order.
 * @param {Entry[]} entries  in order of writing
 * @param {{now: number, max: number, aside: Record<string, number>, uploads: Upload[]}} given
 * @returns {Entry[]}
 */
export function selectBatch(entries, { now, max, aside, uploads }) {
  const uploading = new Set(uploads.map((upload) => upload.op_id));
  /** @type {Set<string>} */
  const heldBack = new Set();
  /** @type {Entry[]} */
  const batch = [];
  let chars = 0;
  for (const entry of entries) {
    if (entry.state !== 'waiting') continue;
    const commutes = entry.kind === 'read';
    const set = aside[entry.op_id];
    const ready = entry.not_before_ms <= now && !uploading.has(entry.op_id) && set === undefined;
    if (!commutes && (!ready || heldBack.has(entry.conversation_id))) {
      // One that choked the server goes alone, when its time has come.
      if (
        set !== undefined &&
        set <= now &&
        batch.length === 0 &&
        !heldBack.has(entry.conversation_id)
      ) {
        return [entry];
      }
      heldBack.add(entry.conversation_id);
      continue;
    }
    if (!ready) continue;
    chars += JSON.stringify(entry.payload).length + 200;
    if (batch.length && (batch.length >= max || chars > MAX_BATCH_CHARS)) break;
    batch.push(entry);
  }
  return batch;
}

/**
 * The envelope as it travels.
 * @param {Entry} entry
 * @returns {Op}
 */
export function toOp({ op_id, kind, conversation_id, based_on, payload, written_at_ms }) {
  return { op_id, kind, conversation_id, based_on, payload, written_at_ms, v: 1 };
}

/** Is the sender at work? @param {State} state */
export const isSyncing = (state) => state.asking !== null || state.storing;

/**
 * @param {State} state
 * @param {string} why
 * @param {Event} event
 * @param {Effect[]} effects
 */
function wake(state, why, event, effects) {
  if (state.connection === 'revoked') return;
  if (state.connection === 'signed_out' && ['queued', 'poke', 'calm'].includes(why)) return;
  if (why === 'queued') {
    state.push = true;
    state.retry_at_ms = Math.min(state.retry_at_ms, event.now + BACKOFF_CAP_WAITING_MS);
  } else if (why === 'timer') {
    state.pull = state.pull || state.failures > 0 || state.visible;
  } else if (why !== 'calm') {
    state.pull = true;
    // Something outside says that now may be different: no reason to wait out an old failure.
    if (why !== 'poke') Object.assign(state, { retry_at_ms: 0, upload_at_ms: 0, aside: {} });
  }
  if (state.lock === 'held') {
    if (!state.asking && !state.storing && !state.loading) load(state, effects);
  } else if (state.lock === 'none') {
    if (event.now >= state.retry_at_ms) {
      state.lock = 'asked';
      effects.push({ do: 'lock' });
    } else {
      effects.push({ do: 'timer', at_ms: state.retry_at_ms });
    }
  }
}

/** @param {State} state @param {Effect[]} effects */
function load(state, effects) {
  state.loading = true;
  effects.push({ do: 'load' });
}

/**
 * Choose the one next thing. What a person did goes before what the server has; both travel in one request.
 * @param {State} state
 * @param {Event} event
 * @param {Effect[]} effects
 */
function advance(state, event, effects) {
  const { saved } = state;
  if (!saved || state.connection === 'revoked') return rest(state, event, effects);
  if (saved.cursor === null) return ask(state, { name: 'first' }, effects);
  // Surely without a network nothing of hers needs to become "perhaps sent": then it can still be edited.
  const probing = state.strikes === STRIKES_BEFORE_PROBE || (!event.onLine && !state.heard);
  const batch = selectBatch(state.entries, {
    now: event.now,
    max: state.batch_max,
    aside: state.aside,
    uploads: state.uploads,
  });
  if (state.pull || batch.length) {
    const ops = probing ? [] : batch;
    const scope = saved.scope?.hash ?? '';
    return ask(
      state,
      { name: 'sync', ops, after: saved.cursor, scope, limit: PULL_LIMIT },
      effects,
    );
  }
  const upload = event.now >= state.upload_at_ms ? state.uploads[0] : undefined;
  if (upload) return ask(state, { name: 'upload', ...upload }, effects);
  if (state.busy) return rest(state, event, effects);
  const walk = saved.walks[0];
  if (walk) return ask(state, walkRequest(saved, walk), effects);
  if (!saved.personal) return ask(state, { name: 'personal', scope: saved.scope?.hash ?? '' }, effects);
  const id = saved.checks[0];
  if (id) return ask(state, { name: 'conversation', id, scope: saved.scope?.hash ?? '' }, effects);
  effects.push({ do: 'idle' });
  return rest(state, event, effects);
}

/**
 * The server refuses a walk (409) under another scope than the phone knows: its page would have holes in it.
 * What comes with the person is refused alike.
 * @param {Saved} saved
 * @param {import('../types.js').Walk} walk
 * @returns {Request}
 */
function walkRequest({ scope }, { next, scopes }) {
  return { name: 'walk', before: next, scopes, scope: scope?.hash ?? '' };
}

/** @param {State} state @param {Request} request @param {Effect[]} effects */
function ask(state, request, effects) {
  state.asking = request;
  effects.push({ do: 'ask', request });
}

/**
 * Let another tab have its turn, and sleep until something is due.
 * @param {State} state
 * @param {Event} event
 * @param {Effect[]} effects
 */
function rest(state, event, effects) {
  if (state.lock === 'held') effects.push({ do: 'unlock' });
  if (state.lock !== 'asked') state.lock = 'none';
  effects.push({ do: 'timer', at_ms: nextTime(state, event.now) });
}

/** @param {State} state @param {number} now @returns {number|null} */
function nextTime(state, now) {
  if (state.connection === 'revoked') return null;
  // She may sign in in another tab; one look in a while costs little.
  if (state.connection === 'signed_out') return state.visible ? now + SIGNED_OUT_POLL_MS : null;
  if (state.retry_at_ms > now) return state.retry_at_ms;
  const times = state.entries
    .filter((entry) => entry.state === 'waiting' && entry.not_before_ms > now)
    .map((entry) => entry.not_before_ms);
  times.push(...Object.values(state.aside));
  if (state.uploads.length) times.push(Math.max(state.upload_at_ms, now));
  if (state.visible) times.push(now + (state.stream ? POLL_BESIDE_STREAM_MS : POLL_MS));
  return times.length ? Math.min(...times) : null;
}

/**
 * @param {State} state
 * @param {Event} event
 * @param {Request} request
 * @param {Answer|null} answer
 * @param {Effect[]} effects
 */
function answered(state, event, request, answer, effects) {
  state.asking = null;
  state.heard = true;
  if (state.broken) {
    // Its page before could not be stored; this one would leave a hole.
    state.broken = false;
    return rest(state, event, effects);
  }
  state.failures = 0;
  state.retry_at_ms = 0;
  state.connection = 'online';
  if (request.name === 'sync' && answer) {
    if (answer.header.reset || answer.header.to < request.after) {
      // The server was put back to an earlier state: what this phone holds may never have been.
      state.pull = true;
      state.loading = true;
      effects.push({ do: 'reset' });
      return;
    }
    state.pull = Boolean(answer.header.more);
    learnFromPush(state, request.ops);
  }
  if (request.name === 'first') state.pull = false; // it is as new as can be
  if (request.name === 'upload') state.upload_at_ms = 0;
  if (!answer) return load(state, effects);
  if (state.storing) {
    state.ahead = { request, answer };
    return undefined;
  }
  return store(state, request, answer, effects);
}

/**
 * @param {State} state
 * @param {Request} request
 * @param {Answer} answer
 * @param {Effect[]} effects
 */
function store(state, request, answer, effects) {
  state.storing = true;
  effects.push({ do: 'store', request, answer });
  const next = answer.header.next;
  const hurry = state.pull || state.push || state.busy;
  if (request.name === 'walk' && typeof next === 'number' && !hurry) {
    ask(state, { ...request, before: next }, effects);
  }
}

/**
 * @param {Record<string, number>} aside
 * @param {Entry[]} entries
 * @returns {Record<string, number>}
 */
function stillWaiting(aside, entries) {
  const waiting = new Set(
    entries.filter((entry) => entry.state === 'waiting').map((entry) => entry.op_id),
  );
  return Object.fromEntries(Object.entries(aside).filter(([op_id]) => waiting.has(op_id)));
}

/** A push (or the probe in its place) succeeded. @param {State} state @param {Entry[]} ops */
function learnFromPush(state, ops) {
  if (!ops.length) {
    if (state.strikes < STRIKES_BEFORE_PROBE) return;
    // The server answers, but not with these operations: look for the one it chokes on.
    state.strikes += 1;
    state.bisecting = true;
    state.batch_max = Math.max(1, Math.ceil(state.batch_max / 2));
    return;
  }
  const aside = { ...state.aside };
  for (const entry of ops) delete aside[entry.op_id];
  state.aside = aside;
  state.strikes = 0;
  state.batch_max = Math.min(MAX_OPS, state.batch_max * 2);
  if (state.batch_max === MAX_OPS) state.bisecting = false;
}

/**
 * @param {State} state
 * @param {Event} event
 * @param {Request} request
 * @param {Failure} failure
 * @param {Effect[]} effects
 */
function failed(state, event, request, failure, effects) {
  state.asking = null;
  state.heard = false;
  state.broken = false;
  if (failure.kind === 'revoked') {
    state.connection = 'revoked';
    effects.push({ do: 'wipe' });
    return rest(state, event, effects);
  }
  if (failure.kind === 'signed_out') {
    state.connection = 'signed_out';
    state.pull = true;
    if (!state.storing) rest(state, event, effects);
    return undefined;
  }
  if (failure.kind === 'storage') {
    // The phone itself, before anything was sent: that says nothing about the network.
    if (request.name === 'sync') state.pull = true;
    stumble(state, event, Boolean(failure.quota), effects);
    if (!state.storing) rest(state, event, effects);
    return undefined;
  }
  const choked = failure.kind === 'server' || failure.kind === 'refused';
  if (request.name === 'upload' && choked)
    return uploadFailed(state, event, request, failure, effects);
  if (request.name === 'conversation' && failure.status === 404) {
    // Not hers to see, or gone: stop asking.
    state.storing = true;
    effects.push({ do: 'store', request, answer: { header: {}, rows: [], lines: [] } });
    return undefined;
  }
  if ((request.name === 'walk' || request.name === 'conversation') && failure.kind === 'refused') {
    // What she may see changed meanwhile: a pull tells, and mends the walks.
    state.pull = true;
    backOff(state, event, failure);
    if (!state.storing) rest(state, event, effects);
    return undefined;
  }
  if (request.name === 'sync' && request.ops.length && choked) {
    if (onChoke(state, event, request.ops, failure, effects)) return load(state, effects);
  } else if (state.strikes >= STRIKES_BEFORE_PROBE) {
    // The probe failed as well: it is the server or the network, not an operation.
    Object.assign(state, { strikes: 0, bisecting: false, batch_max: MAX_OPS });
  }
  state.connection = failure.kind === 'portal' ? 'portal' : 'offline';
  if (request.name === 'sync') state.pull = true;
  backOff(state, event, failure);
  if (!state.storing) rest(state, event, effects);
  return undefined;
}

/**
 * The server answered, but with a failure, to a request with operations.
 * @param {State} state
 * @param {Event} event
 * @param {Entry[]} ops
 * @param {Failure} failure
 * @param {Effect[]} effects
 * @returns {boolean} true: go on at once
 */
function onChoke(state, event, ops, failure, effects) {
  state.pull = true;
  if (!state.bisecting) {
    state.strikes += 1;
    if (failure.kind === 'refused') state.strikes = Math.max(state.strikes, STRIKES_BEFORE_PROBE);
    return state.strikes === STRIKES_BEFORE_PROBE && failure.kind === 'refused';
  }
  if (ops.length > 1) {
    state.batch_max = Math.max(1, Math.floor(ops.length / 2));
    return true;
  }
  const [culprit] = ops;
  const delay_ms = Math.min(
    BACKOFF_CAP_MS,
    BACKOFF_CAP_WAITING_MS * 2 ** Math.min(culprit.attempts - 1, 8),
  );
  state.aside = { ...state.aside, [culprit.op_id]: event.now + delay_ms };
  Object.assign(state, { strikes: 0, bisecting: false, batch_max: MAX_OPS });
  effects.push({ do: 'complain', op_id: culprit.op_id, error: describe(failure) });
  return true;
}

/**
 * One photo must not hold up everything else.
 * @param {State} state
 * @param {Event} event
 * @param {{op_id: string}} request
 * @param {Failure} failure
 * @param {Effect[]} effects
 */
function uploadFailed(state, event, request, failure, effects) {
  if (failure.kind === 'refused') {
    effects.push({ do: 'refuse', op_id: request.op_id, reason: 'attachment_refused' });
  } else {
    state.upload_at_ms = event.now + BACKOFF_CAP_WAITING_MS * (0.5 + event.random / 2);
  }
  load(state, effects);
}

/** @param {State} state @param {Event} event @param {Failure} failure */
function backOff(state, event, failure) {
  const waiting = state.push || state.entries.some((entry) => entry.state === 'waiting');
  const cap = waiting && state.visible ? BACKOFF_CAP_WAITING_MS : BACKOFF_CAP_MS;
  const delay =
    Math.min(cap, BACKOFF_MS * 2 ** Math.min(state.failures, 12)) * (0.5 + event.random / 2);
  state.failures += 1;
  state.retry_at_ms =
    event.now + Math.max(delay, Math.min(failure.retry_after_ms ?? 0, BACKOFF_CAP_MS));
}

/**
 * @param {State} state
 * @param {Event} event
 * @param {Saved} saved
 * @param {Effect[]} effects
 */
function stored(state, event, saved, effects) {
  state.storing = false;
  state.storage = '';
  state.saved = saved;
  if (state.ahead) {
    const { request, answer } = state.ahead;
    state.ahead = null;
    return store(state, request, answer, effects);
  }
  if (state.asking) return undefined;
  if (event.now < state.retry_at_ms || state.connection === 'signed_out')
    return rest(state, event, effects);
  return load(state, effects);
}

/**
 * The phone's own storage failed. Nothing is lost: the cursor did not move and the outbox is another database.
 * @param {State} state
 * @param {Event} event
 * @param {boolean} quota
 * @param {Effect[]} effects
 */
function broke(state, event, quota, effects) {
  Object.assign(state, { storing: false, loading: false, ahead: null, pull: true });
  stumble(state, event, quota, effects);
  if (state.asking) state.broken = true;
  else rest(state, event, effects);
}

/** @param {State} state @param {Event} event @param {boolean} quota @param {Effect[]} effects */
function stumble(state, event, quota, effects) {
  if (quota && state.storage !== 'full') effects.push({ do: 'make_room' });
  state.storage = quota ? 'full' : 'failing';
  state.retry_at_ms = event.now + (quota ? ROOM_RETRY_MS : BACKOFF_CAP_WAITING_MS);
}

/** @param {Failure} failure */
function describe({ kind, status, problem }) {
  return problem?.detail ?? problem?.title ?? `${kind} ${status ?? ''}`.trim();
}
