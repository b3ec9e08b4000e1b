/** The replica in memory: every head, mark and name; of messages only the conversations looked at last. */

import { emptySaved } from '../sync/core.js';
import * as replica from '../sync/replica.js';
import { glance } from './glance.js';

/** @import { Answer, Disk, Head, Message, Row, Saved } from '../types.js' */
/** @import { Change } from '../sync/replica.js' */
/** @import { Telling } from './telling.js' */

const CACHED_CONVERSATIONS = 30;

/**
 * @param {Disk} disk
 * @param {Telling} telling
 */
export function createMemory(disk, { tell, isClosed, unlessClosed }) {
  /** @type {Map<string, Head>} */
  const heads = new Map();
  /** Heads that a walk brought and nobody looked at yet. @type {string[]} */
  let unread = [];
  /** @type {Map<string, number>} */
  const tombs = new Map();
  /** @type {Map<string, {s: number, position: number}>} */
  const marks = new Map();
  /** @type {Map<string, Map<string, any>>} */
  const refs = new Map();
  /** @type {Map<string, Promise<Message[]>>} */
  const pages = new Map();
  /** Changes are taken in one at a time: one that reads the disk must not end after a later one. */
  let taking = Promise.resolve();
  /** What is shown is not on the disk yet. */
  let previewed = false;

  const memory = {
    /** @type {Saved} */
    saved: emptySaved(),
    /** Counts what may change a list. */
    changes: 0,
    marks,
    refs,

    /** What just arrived on an empty phone: it is shown while it is stored. @param {Answer} answer */
    preview({ header, rows, lines }) {
      previewed = true;
      memory.saved = { ...memory.saved, scope: header.scope, total: header.total ?? 0 };
      putRows(rows.map(replica.toRow));
      unread = lines.map((line) => line.head);
      for (const { id, messages } of lines)
        if (messages !== '-') pages.set(id, Promise.resolve(messages).then(JSON.parse));
      memory.changes += 1;
    },

    /** @returns {Map<string, Head>} */
    heads() {
      parseUnread();
      return heads;
    },

    /** Enough to show one conversation, until everything is read. @param {string} id @returns {Promise<boolean>} */
    async glance(id) {
      const found = await glance(disk, id);
      if (!found) return false;
      putAll(found);
      pages.set(id, Promise.resolve(found.messages));
      return true;
    },

    async readEverything() {
      const all = await replica.loadHeads(disk);
      // Nothing there yet: what memory has was given to it.
      if (previewed && all.saved.cursor === null) {
        memory.saved = { ...memory.saved, version: all.saved.version };
        return;
      }
      putAll(all);
    },

    /** @param {() => Promise<void>} take @returns {Promise<void>} */
    inTurn(take) {
      const mine = taking.then(() => (isClosed() ? undefined : take())).catch(unlessClosed);
      taking = mine.catch(() => {}); // said by `mine`; the next one has its turn all the same
      return mine;
    },

    /** @param {Change} change */
    async takeIn(change) {
      const before = change.saved.version - Number(change.rows.length + change.gone.length + change.heads.length > 0);
      // Read from the disk already.
      if (!change.reload && before < memory.saved.version) return;
      // Of two tabs that keep house at once, each may commit before it hears of the other.
      const missed = before > memory.saved.version;
      memory.saved = change.saved;
      previewed = false;
      if (change.reload || missed) {
        await memory.readEverything();
        tell('list', null);
        tell('refs');
        return;
      }
      parseUnread();
      for (const id of change.gone) {
        heads.delete(id);
        pages.delete(id);
      }
      unread = change.heads;
      putRows(change.rows);
      const ids = new Set([...change.gone, ...change.pages]);
      for (const { k } of change.rows) {
        const [kind, id] = k.split(':');
        if ('cmrx'.includes(kind)) ids.add(id);
        else tell('refs');
      }
      for (const id of ids) pages.delete(id);
      if (ids.size || change.heads.length) {
        memory.changes += 1;
        tell('list', ids);
        tell('conversations', ids);
      }
      tell('status');
    },

    reload: () =>
      memory.takeIn({
        reload: true,
        rows: [],
        heads: [],
        pages: [],
        gone: [],
        saved: memory.saved,
      }),

    /** @param {string} id @returns {Promise<Message[]>} */
    messagesOf(id) {
      const known = pages.get(id);
      if (known) return known;
      const reading = replica.loadMessages(disk, id);
      pages.set(id, reading);
      reading.catch(() => pages.delete(id));
      if (pages.size > CACHED_CONVERSATIONS) {
        const [oldest] = pages.keys();
        pages.delete(oldest);
      }
      return reading;
    },
  };

  /** @param {{saved: Saved, blocks: string[], rows: Row[]}} all  instead of what was here */
  function putAll({ saved, blocks, rows }) {
    for (const each of [heads, tombs, marks, refs, pages]) each.clear();
    unread = [];
    memory.saved = saved;
    for (const block of blocks) for (const head of JSON.parse(block)) putHead(head);
    putRows(rows);
    memory.changes += 1;
  }

  /** @param {Head} head */
  function putHead(head) {
    if (head.s > (heads.get(head.id)?.s ?? tombs.get(head.id) ?? -1)) heads.set(head.id, head);
  }

  function parseUnread() {
    if (!unread.length) return;
    const lines = unread;
    unread = [];
    for (const head of /** @type {Head[]} */ (JSON.parse(`[${lines.join(',')}]`))) putHead(head);
  }

  /** @param {Row[]} rows */
  function putRows(rows) {
    for (const { k, s, b } of rows) {
      const colon = k.indexOf(':');
      const kind = k.slice(0, colon);
      const id = k.slice(colon + 1);
      if (kind === 'x') {
        tombs.set(id, Math.max(s, tombs.get(id) ?? 0));
        if ((heads.get(id)?.s ?? Infinity) < s) heads.delete(id);
      } else if (kind === 'c') {
        putHead(JSON.parse(b));
      } else if (kind === 'r') {
        if (s > (marks.get(id)?.s ?? -1)) marks.set(id, { s, position: JSON.parse(b).position });
      } else if (kind !== 'm') {
        const of = refs.get(kind) ?? new Map();
        // An absence comes once for each team: `absence:<id>@<team>`; a pair of residents once for each two areas.
        const one = id.split('@')[0];
        if (s > (of.get(one)?.s ?? -1)) refs.set(kind, of.set(one, JSON.parse(b)));
      }
    }
  }

  return memory;
}

/** @typedef {ReturnType<typeof createMemory>} Memory */
