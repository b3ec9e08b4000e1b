/**
 * The deterministic simulation. `STOEP_HISTORIES=5000` runs more, `STOEP_SEED=1234` replays one history,
 * `STOEP_FIRST_SEED` begins elsewhere.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadClient } from '../harness.mjs';
import { FAULTS, plant } from './faults.mjs';
import { runHistory } from './world.mjs';

const HISTORIES = Number(process.env.STOEP_HISTORIES ?? 200);
const FIRST = Number(process.env.STOEP_FIRST_SEED ?? 1);
/** The rarest faults are found after a few hundred histories; this is far beyond. */
const HISTORIES_A_FAULT = 1_000;

test(`in ${HISTORIES} random histories nothing is lost, nothing is done twice, and all phones end equal`, async (t) => {
  const client = await loadClient();
  const seeds = process.env.STOEP_SEED
    ? [Number(process.env.STOEP_SEED)]
    : Array.from({ length: HISTORIES }, (_, i) => FIRST + i);
  const started_ms = performance.now();
  let operations = 0;
  let requests = 0;
  for (const seed of seeds) {
    try {
      const history = await runHistory({ client, seed });
      operations += history.operations;
      requests += history.requests;
    } catch (error) {
      throw new Error(`seed ${seed}: ${error.message} (replay with STOEP_SEED=${seed})`, {
        cause: error,
      });
    }
  }
  const seconds = (performance.now() - started_ms) / 1000;
  t.diagnostic(
    `${seeds.length} histories from seed ${seeds[0]}: ${operations} operations, ${requests} requests, ${seconds.toFixed(1)} s`,
  );
});

test('a history depends on its seed only', async () => {
  const client = await loadClient();
  assert.deepEqual(await runHistory({ client, seed: 7 }), await runHistory({ client, seed: 7 }));
});

for (const fault of FAULTS.filter(({ name }) => name.includes(process.env.STOEP_FAULT ?? ''))) {
  test(`planted fault is found: ${fault.name}`, async (t) => {
    const { client: copy, server } = await plant(fault);
    const client = await loadClient(copy?.href);
    const Server = server ? (await import(server.href)).ModelServer : undefined;
    for (let seed = 1; seed <= HISTORIES_A_FAULT; seed += 1) {
      try {
        await runHistory({ client, seed, Server });
      } catch (error) {
        t.diagnostic(`found after ${seed} histories: ${error.message.slice(0, 120)}`);
        return;
      }
    }
    assert.fail(`not found in ${HISTORIES_A_FAULT} histories`);
  });
}
