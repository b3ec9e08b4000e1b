import { browserEnv } from '../connection.js';
import { openOutbox, openReplica } from '../db.js';
import { leaveNothing, readDevice } from '../device.js';
import { createDriver } from '../sync/driver.js';

/** However it goes, the browser ends a worker that keeps it waiting longer. */
const GIVE_UP_MS = 25_000;

/**
 * Send and fetch once, with the same driver and under the same lock as the pages. Resolves when there is nothing more
 * to do now; rejects when something still waits, so that Background Sync tries again later.
 * @returns {Promise<void>}
 */
export async function syncOnce() {
  const device = await readDevice();
  const personId = device?.person_id;
  if (!personId) return;
  const [replicaDisk, outboxDisk] = await Promise.all([
    openReplica(indexedDB, personId),
    openOutbox(indexedDB, personId),
  ]);
  const channel = 'BroadcastChannel' in self ? new BroadcastChannel(`stoep-${personId}`) : null;
  const env = browserEnv();
  try {
    await new Promise((resolve, reject) => {
      const giveUp = env.timer(() => {
        // It would go on without its databases, and keep the lock from the pages.
        driver.stop();
        reject(new Error('too long'));
      }, GIVE_UP_MS);
      let started = false;
      const driver = createDriver({
        env,
        personId,
        replicaDisk,
        outboxDisk,
        onChange: ({ rows, heads, gone, saved }) => {
          const large = heads.length > 0 || gone.length > 0;
          if (large || rows.length) {
            const keys = large ? null : rows.map((row) => row.k);
            channel?.postMessage({ what: 'changed', keys, version: saved.version });
          }
        },
        onOutbox: () => channel?.postMessage({ what: 'outbox' }),
        onWipe: async () => {
          channel?.postMessage({ what: 'gone' });
          await leaveNothing(indexedDB, personId);
        },
        onState: (state) => {
          if (state.lock !== 'none') started = true;
          else if (started) {
            started = false; // stopping is told here as well
            giveUp();
            driver.stop();
            if (state.connection === 'online') resolve(undefined);
            else reject(new Error(state.connection));
          }
        },
      });
      driver.seen({ visible: false });
      driver.wake('start');
    });
  } finally {
    channel?.close();
    replicaDisk.close();
    outboxDisk.close();
  }
}
