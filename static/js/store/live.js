/** What is heard from the server while the page is seen: pokes, and which colleague is writing. */

import * as api from '../api.js';

/** @import { Env } from '../types.js' */
/** @import { Telling } from './telling.js' */

const WRITERS_MS = 6_000;

/**
 * @param {object} parts
 * @param {Env} parts.env
 * @param {Telling} parts.telling
 * @param {(new (url: string) => EventSource)|undefined} parts.Source
 * @param {(seq: number) => void} parts.onPoke
 * @param {(up: boolean) => void} parts.onUp
 * @param {() => boolean} parts.isOnline
 * @param {() => string} parts.me
 */
export function createLive({ env, telling: { tell }, Source, onPoke, onUp, isOnline, me }) {
  /** @type {Map<string, Map<string, number>>} */
  const writing = new Map();
  /** @type {Map<string, number>} */
  const sent = new Map();
  let wanted = false;
  /** @type {Promise<ReturnType<typeof import('./stream.js').createStream>>|undefined} */
  let coming;

  async function create() {
    const { createStream } = await import('./stream.js');
    return createStream({
      url: `${api.API}/stream`,
      Source,
      onPoke,
      onUp,
      onWriting({ conversation_id, person_id }) {
        const of = writing.get(conversation_id) ?? new Map();
        writing.set(conversation_id, of.set(person_id, env.now()));
        tell('writing', [conversation_id]);
        env.timer(() => tell('writing', [conversation_id]), WRITERS_MS + 50);
      },
    });
  }

  /** As it is wanted now: it may have been closed while its file was on the way. */
  async function obey() {
    try {
      const stream = await (coming ??= create());
      if (wanted) stream.open();
      else stream.close();
    } catch {
      coming = undefined; // the file did not come; the next occasion asks again
    }
  }

  return {
    open() {
      wanted = true;
      void obey();
    },
    close() {
      wanted = false;
      if (coming) void obey();
    },

    /** Tell colleagues; at most once in a few seconds. @param {string} conversationId */
    writing(conversationId) {
      const now = env.now();
      if (!isOnline() || now - (sent.get(conversationId) ?? 0) < WRITERS_MS / 2) return;
      sent.set(conversationId, now);
      const path = `/conversations/${encodeURIComponent(conversationId)}/writing`;
      void api.json(env, path, { method: 'POST' }).catch(() => {});
    },

    /** @param {string} conversationId @returns {string[]}  person ids */
    writers(conversationId) {
      const since = env.now() - WRITERS_MS;
      return [...(writing.get(conversationId) ?? [])].flatMap(([id, at]) =>
        at > since && id !== me() ? [id] : [],
      );
    },
  };
}
