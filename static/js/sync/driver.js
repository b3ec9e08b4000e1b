import * as api from '../api.js';
import * as outbox from '../outbox.js';
import { initial, step, toOp } from './core.js';
import * as replica from './replica.js';
import { NoAnswer } from './wire.js';

/** @import { Answer, Disk, Entry, Env, Saved } from '../types.js' */
/** @import { Effect, Happening, Request, State } from './core.js' */
/** @import { Change, Known } from './replica.js' */

/**
 * Carries out what the core decides. A tab and the worker each have one; the lock lets one of them work at a time.
 * @param {object} parts
 * @param {Env} parts.env
 * @param {string} parts.personId
 * @param {Disk} parts.replicaDisk
 * @param {Disk} parts.outboxDisk
 * @param {() => Answer|null} [parts.first]  the first answer to an empty phone, when it was asked for already; given once
 * @param {() => Known} [parts.known]
 * @param {(change: Change) => void} [parts.onChange]  the replica was committed
 * @param {(saved: Saved, entries: Entry[]) => void} [parts.onLoaded]  what lies on the disk as this one takes its turn
 * @param {() => void} [parts.onOutbox]  the outbox was committed
 * @param {(state: State) => void} [parts.onState]
 * @param {(blobId: string, fraction: number) => void} [parts.onUpload]
 * @param {() => Promise<void>} [parts.onWipe]  this device was revoked
 * @param {() => void} [parts.onIdle]  in step, nothing to do: time for housekeeping
 * @param {() => Promise<void>} [parts.makeRoom]
 */
export function createDriver(parts) {
  const { env, replicaDisk, outboxDisk } = parts;
  let state = initial();
  /** @type {(() => void)|null} */
  let release = null;
  let cancelTimer = () => {};

  /** @param {Happening} happening */
  function dispatch(happening) {
    const given = { now: env.now(), random: env.random(), onLine: env.onLine() };
    const [next, effects] = step(state, { ...given, ...happening });
    state = next;
    for (const effect of effects) perform(effect);
    parts.onState?.(state);
  }

  /** @param {Effect} effect */
  function perform(effect) {
    switch (effect.do) {
      case 'lock':
        return void hold();
      case 'unlock':
        release?.();
        release = null;
        return undefined;
      case 'timer':
        cancelTimer();
        cancelTimer = () => {};
        if (effect.at_ms !== null) {
          const delay_ms = Math.max(0, effect.at_ms - env.now());
          cancelTimer = env.timer(() => dispatch({ type: 'wake', why: 'timer' }), delay_ms);
        }
        return undefined;
      case 'load':
        return void guard(load);
      case 'reset':
        return void guard(async () => {
          parts.onChange?.(await replica.reset(replicaDisk));
          await load();
        });
      case 'ask':
        return void ask(effect.request);
      case 'store':
        return void guard(() => store(effect.request, effect.answer));
      case 'refuse':
        return void guard(() =>
          outbox.refuse(outboxDisk, effect.op_id, effect.reason).then(parts.onOutbox),
        );
      case 'complain':
        return void guard(() =>
          outbox.complain(outboxDisk, effect.op_id, effect.error).then(parts.onOutbox),
        );
      case 'make_room':
        return void parts.makeRoom?.().catch(() => {});
      case 'wipe':
        return void parts.onWipe?.();
      case 'idle':
        return void parts.onIdle?.();
    }
  }

  function hold() {
    return env.lock(`stoep-sender-${parts.personId}`, async () => {
      if (state.stopped) return;
      await new Promise((resolve) => {
        release = () => resolve(undefined);
        dispatch({ type: 'locked' });
      });
    });
  }

  /** @param {() => Promise<unknown>} work */
  async function guard(work) {
    try {
      await work();
    } catch (error) {
      dispatch({ type: 'broke', quota: isQuota(error) });
    }
  }

  async function load() {
    const [saved, entries] = await Promise.all([
      replica.loadSaved(replicaDisk),
      outbox.list(outboxDisk),
    ]);
    const uploads = await outbox.uploads(outboxDisk, entries, env.now);
    parts.onLoaded?.(saved, entries);
    dispatch({ type: 'loaded', saved, entries, uploads });
  }

  /** @param {Request} asked */
  async function ask(asked) {
    let request = asked;
    /** @type {Answer|null} */
    let answer;
    try {
      if (request.name === 'sync') {
        const fresh = request.ops.some((entry) => entry.attempts === 0);
        request = { ...request, ops: await outbox.claim(outboxDisk, request.ops) };
        if (fresh) parts.onOutbox?.();
        answer = await api.sync(env, { ...request, ops: request.ops.map(toOp) });
      } else if (request.name === 'upload') {
        answer = await upload(request.blob);
      } else if (request.name === 'conversation') {
        answer = await api.conversation(env, request.id, request.scope);
      } else if (request.name === 'walk') {
        /** @type {Record<string, string>} */
        const query = { before: String(request.before), scope: request.scope };
        if (request.scopes) query.scopes = request.scopes.join(',');
        answer = await api.replica(env, 'walk', query);
      } else {
        const given = request.name === 'first' ? parts.first?.() : null;
        /** @type {Record<string, string>} */
        const query = 'scope' in request ? { scope: request.scope } : {};
        answer = given ?? (await api.replica(env, request.name, query));
      }
    } catch (error) {
      // The phone's own storage can fail here too (claiming, noting a piece); nothing was sent then, or it is asked again.
      const failure =
        error instanceof NoAnswer
          ? error.failure
          : { kind: /** @type {const} */ ('storage'), quota: isQuota(error) };
      dispatch({ type: 'failed', request, failure });
      return;
    }
    dispatch({ type: 'answered', request, answer });
  }

  /** @param {string} id @returns {Promise<null>}  raises NoAnswer */
  async function upload(id) {
    let uploading;
    try {
      uploading = await import('../uploading.js');
    } catch {
      // A file of the app that does not come is a network that does not answer.
      throw new NoAnswer({ kind: 'network' });
    }
    return uploading.upload(parts, id);
  }

  /** @param {Request} request @param {Answer} answer */
  async function store(request, answer) {
    const change = await storeReplica(request, answer);
    parts.onChange?.(change);
    if (request.name === 'sync') {
      // What she did may have changed since, and then its row lies beyond this page.
      const { more } = answer.header;
      await settle(request.ops, answer, more ? 0 : (change.saved.cursor ?? 0));
    }
    dispatch({ type: 'stored', saved: change.saved });
  }

  /** @param {Request} request @param {Answer} answer @returns {Promise<Change>} */
  async function storeReplica(request, answer) {
    switch (request.name) {
      case 'first':
        return replica.storeFirst(replicaDisk, answer, env.now());
      case 'walk':
        return replica.storeWalk(replicaDisk, answer, request);
      case 'personal':
        return replica.storePersonal(replicaDisk, answer);
      case 'conversation':
        return replica.storeConversation(replicaDisk, answer, request.id);
      case 'sync':
        try {
          return await replica.storePull(replicaDisk, answer, env.now(), parts.known?.());
        } catch (error) {
          // The replica is full, but the server's verdicts are still true: keep them, shown until the replica follows.
          if (isQuota(error)) await settle(request.ops, answer, request.after);
          throw error;
        }
      default:
        throw new Error(request.name);
    }
  }

  /** @param {Entry[]} sent @param {Answer} answer @param {number} cursor */
  async function settle(sent, answer, cursor) {
    if (!sent.length && !state.entries.some((entry) => entry.state === 'accepted')) return;
    await outbox.settle(outboxDisk, sent, answer.header.results, cursor);
    parts.onOutbox?.();
  }

  return {
    state: () => state,
    /** @param {string} why */
    wake: (why) => dispatch({ type: 'wake', why }),
    /** @param {number} seq */
    poke: (seq) => dispatch({ type: 'poke', seq }),
    /** @param {{visible?: boolean, stream?: boolean, busy?: boolean}} seen */
    seen: (seen) => dispatch({ type: 'seen', ...seen }),
    stop: () => dispatch({ type: 'stop' }),
  };
}

/** @param {unknown} error */
export function isQuota(error) {
  return error instanceof Error ? error.name === 'QuotaExceededError' : false;
}
