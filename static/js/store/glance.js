/** One conversation of the newest, with the names it needs, before the lists are read: she waits for nothing else. */

import { ALL, overlay, saved } from '../sync/replica.js';

/** @import { Disk, Message, Row, Saved } from '../types.js' */

/** Of 64 conversations each. */
const NEWEST_BLOCKS = 4;

/**
 * @param {Disk} disk
 * @param {string} id
 * @returns {Promise<{saved: Saved, blocks: string[], rows: Row[], messages: Message[]}|null>}  null: read everything
 */
export function glance(disk, id) {
  return disk.read(ALL, async (tx) => {
    /** @param {string} [from] @param {string} [to] */
    const rows = (from, to) => /** @type {Promise<Row[]>} */ (tx.getAll('rows', from, to));
    const [state, keys, page, messages, [tomb], ...others] = await Promise.all([
      saved(tx),
      tx.keys('heads'),
      tx.get('pages', id),
      rows(`m:${id}:`, `m:${id};`),
      rows(`x:${id}`, `x:${id}`),
      // Of conversations and marks only hers; all of the other kinds lie between those.
      rows(undefined, 'c:'),
      rows(`c:${id}`, `c:${id}`),
      rows('c;', 'm:'),
      rows('m;', 'r:'),
      rows(`r:${id}`, `r:${id}`),
      rows('r;', 'x:'),
      rows('x;'),
    ]);
    const newest = await Promise.all(
      keys.slice(-NEWEST_BLOCKS).map((key) => tx.get('heads', key)),
    );
    const blocks = newest.filter((block) => block?.includes(`"id":"${id}"`));
    const found = others.flat();
    if (!blocks.length && !found.some((row) => row.k === `c:${id}`)) return null;
    if (tomb) found.push(tomb);
    return { saved: state, blocks, rows: found, messages: overlay(page, messages, tomb?.s ?? 0) };
  });
}
