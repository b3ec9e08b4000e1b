/** @import { Disk, Draft } from './types.js' */

/**
 * Drafts as typed. Writes of one draft never overlap: while one is under way the newest text waits in memory and goes
 * next, so a fast typist costs one write at a time.
 * @param {Disk} disk
 */
export function createDrafts(disk) {
  /** @type {Map<string, Draft|null>} what the person has now, where the disk may be behind */
  const newest = new Map();
  /** @type {Map<string, Promise<void>>} */
  const writing = new Map();

  /** @param {string} id @returns {Promise<void>} */
  async function write(id) {
    try {
      while (newest.has(id)) {
        const draft = newest.get(id);
        await disk.write(
          ['drafts'],
          (tx) => (isEmpty(draft) ? tx.delete('drafts', id) : tx.put('drafts', draft, id)),
          { strict: true },
        );
        if (newest.get(id) === draft) newest.delete(id);
      }
    } finally {
      // In the same turn as the last look at `newest`: a later save must find nobody writing.
      writing.delete(id);
    }
  }

  return {
    /** @param {string} id @returns {Promise<Draft|null>} */
    async get(id) {
      if (newest.has(id)) return newest.get(id) ?? null;
      return (await disk.read(['drafts'], (tx) => tx.get('drafts', id))) ?? null;
    },

    /**
     * Resolves when this text, or a later one, is on the disk.
     * @param {string} id
     * @param {Draft|null} draft
     * @returns {Promise<void>}
     */
    save(id, draft) {
      newest.set(id, draft);
      let under = writing.get(id);
      if (!under) {
        under = write(id);
        writing.set(id, under);
      }
      return under;
    },

    /**
     * Its text is going into the outbox: a write still waiting here must not bring it back afterwards.
     * @param {string} id
     * @returns {Draft|null|undefined}  what was still to be written; save it when the outbox refuses
     */
    handOver(id) {
      const draft = newest.get(id);
      newest.delete(id);
      return draft;
    },

    /** @returns {Promise<Map<string, Draft>>} */
    async all() {
      const [keys, values] = await disk.read(['drafts'], (tx) =>
        Promise.all([tx.keys('drafts'), tx.getAll('drafts')]),
      );
      return new Map(keys.map((key, i) => [String(key), values[i]]));
    },
  };
}

/** @param {Draft|null|undefined} draft */
function isEmpty(draft) {
  if (!draft) return true;
  return (
    !draft.text && !draft.attachments?.length && !Object.values(draft.fields ?? {}).some(Boolean)
  );
}
