/** Telling the server that a push was shown: that is how it knows that this phone can be woken. */

import { json } from '../api.js';
import { openDevice } from '../db.js';
import { NoAnswer } from '../sync/wire.js';

/** @import { Env } from '../types.js' */
/** @typedef {{push: string, report: string}} Proof */

const KEY = 'report:';
const MAX_KEPT = 20;

/**
 * Tell it now, or keep it until there is a network: a phone in a lift is not a silent one.
 * @param {Env} env
 * @param {Proof} proof
 */
export async function report(env, proof) {
  if (!(await told(env, proof))) await keep(proof);
}

/** What could not be told before. @param {Env} env */
export async function reportKept(env) {
  for (const proof of await kept()) {
    if (!(await told(env, proof))) return;
    await drop(proof);
  }
}

/** @param {Env} env @param {Proof} proof @returns {Promise<boolean>}  false: try again later */
async function told(env, proof) {
  try {
    await json(env, '/push/reports', { method: 'POST', body: proof });
    return true;
  } catch (error) {
    // The server answered that it does not know this push: asking again changes nothing.
    return error instanceof NoAnswer && error.failure.kind === 'refused';
  }
}

/** @param {Proof} proof */
const keep = (proof) =>
  withDevice((disk) =>
    disk.write(['device'], async (tx) => {
      const others = await tx.keys('device', KEY, `${KEY}~`);
      for (const old of others.slice(0, Math.max(0, others.length - MAX_KEPT + 1)))
        tx.delete('device', old);
      tx.put('device', proof, KEY + proof.push);
    }),
  );

/** @returns {Promise<Proof[]>} */
const kept = () =>
  withDevice((disk) => disk.read(['device'], (tx) => tx.getAll('device', KEY, `${KEY}~`)));

/** @param {Proof} proof */
const drop = ({ push }) =>
  withDevice((disk) => disk.write(['device'], (tx) => tx.delete('device', KEY + push)));

/**
 * @template T
 * @param {(disk: import('../types.js').Disk) => Promise<T>} work
 */
async function withDevice(work) {
  const disk = await openDevice(indexedDB);
  try {
    return await work(disk);
  } finally {
    disk.close();
  }
}
