/**
 * The deterministic simulation. `STOEP_HISTORIES=5000` runs more, `STOEP_SEED=1234` replays one history,
 * `STOEP_FIRST_SEED` begins elsewhere.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { loadClient } from '../harness.mjs';
import { runHistory } from './world.mjs';

const HISTORIES = Number(process.env.STOEP_HISTORIES ?? 200);
const FIRST = Number(process.env.STOEP_FIRST_SEED ?? 1);

/**
 * Play these histories on a thread of their own.
 *
 * @param {number[]} seeds
 * @returns {Promise<{operations: number, requests: number}>}
 */
async function play(seeds) {
  const lane = new Worker(new URL('lane.mjs', import.meta.url), { workerData: { seeds } });
  const ended = once(lane, 'exit');
  const [did] = await Promise.race([once(lane, 'message'), ended.then(() => [])]);
  await ended;
  assert.ok(did, 'a thread ended before its histories did');
  return did;
}

test(`in ${HISTORIES} random histories nothing is lost, nothing is done twice, and all phones end equal`, async (t) => {
  const seeds = process.env.STOEP_SEED
    ? [Number(process.env.STOEP_SEED)]
    : Array.from({ length: HISTORIES }, (_, i) => FIRST + i);
  const lanes = Math.min(availableParallelism(), seeds.length);
  const started_ms = performance.now();
  const played = await Promise.all(
    Array.from({ length: lanes }, (_, at) => play(seeds.filter((_seed, i) => i % lanes === at))),
  );
  const operations = played.reduce((sum, did) => sum + did.operations, 0);
  const requests = played.reduce((sum, did) => sum + did.requests, 0);
  const seconds = (performance.now() - started_ms) / 1000;
  t.diagnostic(
    `${seeds.length} histories from seed ${seeds[0]}: ${operations} operations, ${requests} requests, ${seconds.toFixed(1)} s`,
  );
});

test('a history depends on its seed only', async () => {
  const client = await loadClient();
  await runHistory({ client, seed: 7 }); // loads what is loaded when needed, see lane.mjs
  assert.deepEqual(await runHistory({ client, seed: 7 }), await runHistory({ client, seed: 7 }));
});
