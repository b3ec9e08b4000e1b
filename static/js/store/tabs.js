/** The other tabs of this person, and the worker: what each commits, the others take in. */

import * as replica from '../sync/replica.js';

/** @import { Disk } from '../types.js' */
/** @import { Change } from '../sync/replica.js' */
/** @import { Memory } from './memory.js' */

/** @typedef {{postMessage: (message: any) => void, onmessage: ((event: any) => any)|null, close: () => void}} Channel */

/** Beyond this another tab reads everything again instead of hearing every key. */
const TELL_ROWS = 500;

/**
 * @param {object} parts
 * @param {Channel|null} parts.channel
 * @param {Disk} parts.replicaDisk
 * @param {Memory} parts.memory
 * @param {() => void} parts.onOutbox
 * @param {() => void} parts.onGone  another tab left nothing on this phone
 * @param {() => void} parts.onDrafts
 * @param {() => void} parts.onBuild
 */
export function createTabs({ channel, replicaDisk, memory, onOutbox, onGone, onDrafts, onBuild }) {
  if (channel) {
    channel.onmessage = ({ data }) => {
      if (data.what === 'outbox') onOutbox();
      else if (data.what === 'gone') onGone();
      else if (data.what === 'changed') void memory.inTurn(() => fromElsewhere(data));
      else if (data.what === 'drafts') onDrafts();
      else if (data.what === 'build') onBuild();
    };
  }

  /** @param {{keys: string[]|null, version: number}} told */
  async function fromElsewhere({ keys, version }) {
    const { saved, reload, takeIn } = memory;
    if (version <= saved.version) return undefined;
    // One was missed: the tab that made it ended before it could tell.
    if (!keys || version > saved.version + 1) return reload();
    const rows = await replicaDisk.read(['rows'], (tx) =>
      Promise.all(keys.map((key) => tx.get('rows', key))),
    );
    if (rows.includes(undefined)) return reload(); // folded into their pages already
    const state = { ...(await replica.loadSaved(replicaDisk)), version };
    return takeIn({ rows, heads: [], pages: [], gone: [], saved: state });
  }

  return {
    /** @param {Change} change */
    tellChange({ reload: again, heads: walked, gone, rows, saved: { version } }) {
      // What is gone may have come back since: let them read the disk.
      const large = again || walked.length > 0 || gone.length > 0 || rows.length > TELL_ROWS;
      if (!large && !rows.length) return;
      channel?.postMessage({
        what: 'changed',
        keys: large ? null : rows.map((row) => row.k),
        version,
      });
    },
    tellOutbox: () => channel?.postMessage({ what: 'outbox' }),
    tellGone: () => channel?.postMessage({ what: 'gone' }),
    close: () => channel?.close(),
  };
}

/** @param {string} name @returns {Channel|null} */
export function browserChannel(name) {
  return 'BroadcastChannel' in globalThis && globalThis.document
    ? new BroadcastChannel(name)
    : null;
}
