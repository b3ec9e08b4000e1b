/** What a person does: into the outbox, and out of it again. */

import * as outbox from '../outbox.js';
import { isQuota } from '../sync/driver.js';

/** @import { Disk, Draft, Entry, Env, OpKind } from '../types.js' */
/** @import { Telling } from './telling.js' */
/** @import { PhotoInfo, Waiting } from './waiting.js' */
/** @typedef {ReturnType<typeof import('../drafts.js').createDrafts>} Drafts */

/**
 * @param {object} parts
 * @param {Env} parts.env
 * @param {Disk} parts.outboxDisk
 * @param {Drafts} parts.drafts
 * @param {Waiting} parts.waiting
 * @param {Telling} parts.telling
 * @param {() => string} parts.newId
 * @param {() => void} parts.tellOthers  the outbox was committed
 * @param {() => void} parts.wake  something was queued
 * @param {() => Promise<void>} parts.makeRoom
 */
export function createSending(parts) {
  const { env, outboxDisk, drafts, waiting, newId, wake } = parts;
  const { tell } = parts.telling;
  const tabId = newId();

  /**
   * @template T
   * @param {(to: typeof import('../taking-back.js')) => Promise<T>} take
   */
  async function back(take) {
    const taken = await take(await import('../taking-back.js'));
    parts.tellOthers();
    await waiting.read();
    tell('drafts');
    return taken;
  }

  /** @param {unknown} error */
  function troubled(error) {
    sending.storage = isQuota(error) ? 'full' : 'failing';
    tell('status');
    if (sending.storage === 'full') void parts.makeRoom().catch(() => {});
    return error;
  }

  const sending = {
    /** Why what she wrote last could not be stored. @type {import('../sync/core.js').Trouble} */
    storage: '',

    /**
     * Resolves when it is on the disk; rejects (and changes nothing) when the phone is full.
     * @param {{kind: OpKind, conversation_id: string, based_on?: number|null, payload: Record<string, any>,
     *   not_before_ms?: number, op_id?: string, keep_draft?: boolean}} op
     * @returns {Promise<Entry>}
     */
    async enqueue({
      kind,
      conversation_id,
      based_on = null,
      payload,
      not_before_ms = 0,
      op_id = newId(),
      keep_draft = false,
    }) {
      const key = keep_draft ? null : outbox.draftKey({ kind, conversation_id });
      const unwritten = key === null ? undefined : drafts.handOver(key);
      const mine = (/** @type {Draft} */ draft) =>
        (draft.tab ?? tabId) === tabId ||
        unwritten !== undefined ||
        String(payload.text ?? '').includes(draft.text ?? '');
      let entry;
      try {
        const written_at_ms = env.now();
        entry = await outbox.add(
          outboxDisk,
          { op_id, kind, conversation_id, based_on, payload, written_at_ms, not_before_ms },
          key === null ? null : { key, mine },
        );
      } catch (error) {
        if (key !== null && unwritten !== undefined)
          void drafts.save(key, unwritten).catch(() => {});
        throw troubled(error);
      }
      sending.storage = '';
      parts.tellOthers();
      await waiting.add(entry);
      if (key !== null) tell('drafts');
      wake();
      return entry;
    },

    /**
     * What the server held, after all. Resolves with what was stored; null when it was not held any more.
     * @param {string} held
     * @param {{based_on: number, op_id?: string}} given
     */
    async sendAnyway(held, { based_on, op_id = newId() }) {
      const now = env.now();
      const entry = await back((to) => to.sendAnyway(outboxDisk, held, { op_id, based_on, now }));
      wake();
      return entry;
    },

    /** Raises PossiblySent. @param {string} op_id @returns {Promise<boolean>}  false: it was gone already */
    discard: async (op_id) => (await back((to) => to.discard(outboxDisk, op_id))) !== null,

    /** The text back as a draft. Raises PossiblySent. @param {string} op_id */
    async edit(op_id) {
      const given = { now: env.now(), tab: tabId };
      const edited = await back((to) => to.edit(outboxDisk, op_id, given));
      return edited && { conversation_id: edited.entry.conversation_id, kind: edited.entry.kind };
    },

    /**
     * Another reply in the stead of one that waits or was refused. Resolves with what was stored; null when it had arrived.
     * @param {string} op_id
     * @param {{payload: Record<string, any>, based_on: number, op_id?: string}} reply
     */
    async instead(op_id, reply) {
      const given = { op_id: newId(), ...reply, now: env.now(), tab: tabId };
      const entry = await back((to) => to.instead(outboxDisk, op_id, given));
      wake();
      return entry;
    },

    /** Change or drop words that may be on their way. Raises PossiblySent. @param {string} op_id @param {{edit: boolean}} how */
    async takeBack(op_id, { edit }) {
      const given = { now: env.now(), tab: tabId, withdrawal: edit ? null : newId() };
      const taken = await back((to) => to.takeBack(outboxDisk, op_id, given));
      wake();
      return taken !== null;
    },

    /** Everything unsent, photos included, as one JSON file. @returns {Promise<Blob>} */
    async exportOutbox() {
      const { exportUnsent } = await import('../report.js');
      return exportUnsent(outboxDisk, await drafts.all(), env.now());
    },

    /** @param {string} id @param {Draft|null} draft */
    async saveDraft(id, draft) {
      const saving = drafts.save(id, draft && { ...draft, updated_ms: env.now(), tab: tabId });
      await saving.catch((error) => Promise.reject(troubled(error)));
    },

    /** @param {File} file @returns {Promise<PhotoInfo & {id: string}>} */
    async addPhoto(file) {
      const { shrink } = await import('../shrink.js');
      const photo = await shrink(file);
      const id = newId();
      await outbox.addPhoto(outboxDisk, id, photo);
      waiting.rememberPhoto(id, photo);
      const { type, name, width, height, blob } = photo;
      return { id, type, name, width, height, bytes: blob.size };
    },

    /** How many operations would be lost by signing out now. */
    unsent: () =>
      waiting.entries.filter((entry) => entry.state !== 'accepted' && entry.kind !== 'read').length,
  };
  return sending;
}
