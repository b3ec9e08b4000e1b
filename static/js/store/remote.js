/** What only the server has: old conversations, photos, its search, colleagues who write. Nothing here waits for later. */

import * as api from '../api.js';

/** @import { Disk, Env, Head, Message } from '../types.js' */
/** @import { Telling } from './telling.js' */

const SEARCH_LIMIT = 50;

/**
 * @param {object} parts
 * @param {Env} parts.env
 * @param {Disk} parts.replicaDisk
 * @param {Disk} parts.outboxDisk
 * @param {Telling} parts.telling
 */
export function createRemote({ env, replicaDisk, outboxDisk, telling: { tell } }) {
  /** Held in memory only: the walk brings what belongs on the phone. @type {Map<string, {head: Head, messages: Message[]}>} */
  const visiting = new Map();
  /** @type {Map<string, Promise<void>>} */
  const opening = new Map();
  /** @type {Map<string, string>} */
  const urls = new Map();

  /** @param {string} id */
  async function fetchConversation(id) {
    try {
      const answer = await api.conversation(env, id);
      const line = answer.lines.find((each) => each.id === id);
      if (!line) return;
      const messages = line.messages === '-' ? [] : JSON.parse(line.messages);
      visiting.set(id, { head: JSON.parse(line.head), messages });
    } catch {
      // No answer: the view says that it is not complete, and the bar says why.
    }
  }

  /** @param {string} id @param {boolean} thumb @returns {Promise<Blob>} */
  async function fetchPhoto(id, thumb) {
    const { find } = await import('../photos.js');
    return find({ env, replicaDisk, outboxDisk }, id, thumb);
  }

  return {
    /** @param {string} id */
    visited: (id) => visiting.get(id),
    /** @param {string} id */
    isOpening: (id) => opening.has(id),

    /** Resolves with or without an answer. @param {string} id @returns {Promise<void>} */
    open(id) {
      const fetching = fetchConversation(id).finally(() => {
        opening.delete(id);
        tell('conversations', [id]);
      });
      opening.set(id, fetching);
      tell('conversations', [id]);
      return fetching;
    },

    fetchPhoto,

    /**
     * An object URL, kept until the store closes.
     * @param {string} attachmentId
     * @param {{thumb?: boolean}} [options]
     * @returns {Promise<string>}
     */
    async photoUrl(attachmentId, { thumb = false } = {}) {
      const key = `${attachmentId}:${thumb}`;
      const known = urls.get(key);
      if (known) return known;
      const url = URL.createObjectURL(await fetchPhoto(attachmentId, thumb));
      urls.set(key, url);
      return url;
    },

    /** @param {string} query @returns {Promise<{head: Head, snippet: string}[]>}  raises NoAnswer without a network */
    async search(query) {
      const asked = new URLSearchParams({ q: query, limit: String(SEARCH_LIMIT) });
      return (await api.json(env, `/search?${asked}`)).results;
    },
  };
}

/** @typedef {ReturnType<typeof createRemote>} Remote */
