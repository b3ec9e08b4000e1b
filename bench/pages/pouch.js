// The peer: PouchDB, tuned as far as its options go, against a CouchDB-compatible server in memory.
import PouchDB from '../node_modules/pouchdb/dist/pouchdb.js';

// Large batches, several in flight, one revision, no compaction while it fills.
const TUNED = { batch_size: 1000, batches_limit: 8 };
const LOCAL = { revs_limit: 1, auto_compaction: false };

/** @type {any} */
let local;

/** @param {string} name */
const remote = (name) => new PouchDB(`${location.origin}/couch/${name}`);

/**
 * Every document of the server, into an empty database; after so long it is stopped where it is.
 * @param {number} patience_ms
 */
async function firstReplica(patience_ms) {
  if (local) await local.destroy();
  const began = performance.now();
  local = new PouchDB('peer', LOCAL);
  const replication = local.replicate.from(remote('town'), TUNED);
  const timer = setTimeout(() => replication.cancel(), patience_ms);
  let gave_up = null;
  try {
    await replication;
  } catch (error) {
    // On a slow line a batch outlasts its own time-out.
    gave_up = String(error?.message || error?.name || error);
  }
  clearTimeout(timer);
  const { doc_count } = await local.info();
  return { took_ms: performance.now() - began, documents: doc_count, gave_up };
}

/**
 * Documents written without a network, then replicated: pushed only, which favours the peer.
 * @param {{_id: string}[]} documents
 */
async function reconnect(documents) {
  await local.bulkDocs(documents);
  const began = performance.now();
  const outcome = await local.replicate.to(remote('town'), TUNED);
  return { took_ms: performance.now() - began, documents: outcome.docs_written };
}

/** Look for changes once. */
async function catchUp() {
  const began = performance.now();
  const outcome = await local.replicate.from(remote('town'), TUNED);
  return { took_ms: performance.now() - began, documents: outcome.docs_written };
}

/** Show the newest conversations: ids sort by their number, so this is one range read. @param {number} count */
async function newest(count) {
  const began = performance.now();
  local ??= new PouchDB('peer', LOCAL);
  const range = { startkey: 'c:\uffff', endkey: 'c:', descending: true, limit: count, include_docs: true };
  const { rows } = await local.allDocs(range);
  return { took_ms: performance.now() - began, rows: rows.map((row) => row.doc) };
}

Object.assign(globalThis, { bench: { firstReplica, reconnect, catchUp, newest } });
