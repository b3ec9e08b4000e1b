/** The outbox in memory: what is laid over the replica. */

import * as outbox from '../outbox.js';

/** @import { Attachment, Disk, Entry, OutboxPhoto } from '../types.js' */
/** @import { Telling } from './telling.js' */

/** @typedef {{type: string, name: string, width?: number, height?: number, bytes: number}} PhotoInfo */

/**
 * @param {Disk} disk
 * @param {Telling} telling
 */
export function createWaiting(disk, { tell }) {
  /** @type {Map<string, Entry[]>} */
  let byConversation = new Map();
  /** @type {Map<string, PhotoInfo>} */
  const photoInfo = new Map();
  /** Operations that were stored from here; a list read before the last of them is older than memory. */
  let added = 0;

  const waiting = {
    /** @type {Entry[]} */
    entries: [],
    /** Counts what may change a list. */
    changes: 0,

    /** @param {string} id @returns {Entry[]} */
    of: (id) => byConversation.get(id) ?? [],

    /** Is this, read from the disk, something else than what is shown? @param {Entry[]} stored */
    differs: (stored) =>
      stored.length !== waiting.entries.length ||
      stored.some(({ n, state }, i) => {
        const shown = waiting.entries[i];
        return shown?.n !== n || shown.state !== state;
      }),

    async read() {
      let entries;
      let before;
      do {
        before = added;
        entries = await outbox.list(disk);
      } while (before !== added);
      if (!entries.length && !waiting.entries.length) return;
      const blobs = entries.flatMap(outbox.blobsOf).filter((id) => !photoInfo.has(id));
      byConversation = new Map();
      waiting.entries = [];
      for (const entry of entries) put(entry);
      for (const id of blobs) {
        const found = await outbox.photo(disk, id);
        if (found) waiting.rememberPhoto(id, found);
      }
      changed(null);
    },

    /** One that was just stored: the disk need not be read again. @param {Entry} entry */
    async add(entry) {
      added += 1;
      if (waiting.of(entry.conversation_id).some((known) => known.n === entry.n)) return;
      // A photo of a draft from before this page was opened.
      if (outbox.blobsOf(entry).some((id) => !photoInfo.has(id))) return waiting.read();
      waiting.entries = [...waiting.entries];
      put(entry);
      changed([entry.conversation_id]);
    },

    /** @param {string} id @param {OutboxPhoto} photo */
    rememberPhoto(id, { type, name, blob, width, height }) {
      photoInfo.set(id, { type, name, width, height, bytes: blob.size });
    },

    /** @param {string} id @returns {Attachment} */
    attachment(id) {
      const info = photoInfo.get(id);
      return {
        id,
        type: info?.type ?? 'image/jpeg',
        name: info?.name ?? '',
        bytes: info?.bytes ?? 0,
        width: info?.width ?? null,
        height: info?.height ?? null,
      };
    },
  };

  /** @param {Entry} entry */
  function put(entry) {
    waiting.entries.push(entry);
    byConversation.set(entry.conversation_id, [...waiting.of(entry.conversation_id), entry]);
  }

  /** @param {string[]|null} ids */
  function changed(ids) {
    waiting.changes += 1;
    tell('outbox', ids);
    tell('list');
    tell('status');
  }

  return waiting;
}

/** @typedef {ReturnType<typeof createWaiting>} Waiting */
