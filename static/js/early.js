/**
 * What the first screen waits for longest is asked before anything else: what this phone knows of itself, and on an empty
 * phone the newest conversations. After signing in it may be somebody else's phone than before, so the server says whose.
 * @module
 */
import { replica } from './api.js';
import { browserEnv } from './connection.js';
import { openOutbox, openReplica } from './db.js';
import { readDevice } from './device.js';
import { readCopy } from './known.js';

/** @import { Answer, Disk } from './types.js' */
/** @typedef {{replica: Promise<Disk>, outbox: Promise<Disk>}} Opening */

const asked = globalThis.firstAnswer;
globalThis.firstAnswer ??= null; // too late for start.js
const justSignedIn = new URLSearchParams(location.search).has('signed-in');

const copy = readCopy();
/** Most probably it is the same person as last time: her databases open while the record is read that says so. */
const expected = justSignedIn || asked ? undefined : copy?.person_id;
/** @type {Opening|null} */
const ahead = expected
  ? { replica: openReplica(indexedDB, expected), outbox: openOutbox(indexedDB, expected) }
  : null;
for (const each of Object.values(ahead ?? {})) each.catch(() => {}); // said by who uses them

const record = justSignedIn ? null : readDevice().then((known) => known ?? {});

/** Theme and language; where there is a copy of them they do not wait for a database. @type {Promise<{language?: string, theme?: string}>} */
export const taste = record && !asked && !copy ? record : Promise.resolve(copy ?? {});

/** Whose phone this is, with the server's first answer when it was the server that said so. */
export const person = whose();
for (const each of [record, taste, person]) each?.catch(() => {}); // said by who awaits them

/**
 * What was opened ahead, when it is this person's.
 * @param {string} personId
 * @returns {Opening|null}
 */
export function openedFor(personId) {
  if (personId === expected) return ahead;
  for (const each of Object.values(ahead ?? {})) each.then((disk) => disk.close(), () => {});
  return null;
}

/** @typedef {{personId: string, first: Answer|null}} Person */

/** @returns {Promise<Person>}  raises NoAnswer */
async function whose() {
  /** @type {Promise<Answer>|undefined} */
  let answer;
  /** @returns {Promise<Person>} */
  const byServer = async () => {
    answer ??= replica(browserEnv(asked ? { fetch: () => asked } : {}), 'first');
    const first = await answer;
    // Not before: without an answer a reload must ask again, and not show what another person left.
    if (justSignedIn) history.replaceState(null, '', location.pathname);
    return { personId: /** @type {string} */ (first.header.scope.me.id), first };
  };
  if (!record) return byServer();
  const byRecord = record.then(
    /** @returns {Person|Promise<Person>} */
    ({ person_id }) => (person_id ? { personId: person_id, first: null } : byServer()),
  );
  return asked ? Promise.race([byServer().catch(() => byRecord), byRecord]) : byRecord;
}
