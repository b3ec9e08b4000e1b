/**
 * One of the threads among which `sim.test.mjs` divides its histories: each core plays some. Every thread has modules of
 * its own, and a history depends on its seed only.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadClient } from '../harness.mjs';
import { runHistory } from './world.mjs';

const client = await loadClient();
const did = { operations: 0, requests: 0 };
const [first] = workerData.seeds;
// What the client loads when it needs it comes a turn of the real loop later, once. After that history it is all here.
for (const [at, seed] of [first, ...workerData.seeds].entries()) {
  try {
    const history = await runHistory({ client, seed });
    if (at > 0) {
      did.operations += history.operations;
      did.requests += history.requests;
    }
  } catch (error) {
    throw new Error(`seed ${seed}: ${error.message} (replay with STOEP_SEED=${seed})`, {
      cause: error,
    });
  }
}
parentPort.postMessage(did);
