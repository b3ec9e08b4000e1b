/**
 * Each planted fault is found by the deterministic simulation. `STOEP_FAULT=` with a part of its name plays one.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadClient } from '../harness.mjs';
import { FAULTS, plant } from './faults.mjs';
import { runHistory } from './world.mjs';

/** The rarest faults are found after a few hundred histories; this is far beyond. */
const HISTORIES_A_FAULT = 1_000;

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
