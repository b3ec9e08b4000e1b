/**
 * The phones of the real-process simulation: the browser's own modules over fake-indexeddb, against a server process that
 * dies, over lines that fail. Whoever started this (`lane.py`) sends one line of JSON a group of histories, which play at
 * once, each in a town of its own; what the phones cannot do themselves they ask back on standard output.
 */
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';

import { loadClient } from '../js/harness.mjs';
import { createHistory } from './history.mjs';
import { createPace } from './pace.mjs';

const client = await loadClient(process.argv[2] ? new URL(process.argv[2]) : undefined);
/** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
const asked = new Map();
let count = 0;

/** Ask the lane to do what only it can. */
function ask(what, given = {}) {
  count += 1;
  const id = count;
  process.stdout.write(`${JSON.stringify({ id, do: what, ...given })}\n`);
  return new Promise((resolve, reject) => asked.set(id, { resolve, reject }));
}

/** One phase after another, for all together: what ends one history's chaos must not begin in another's healing. */
async function playGroup(group) {
  const photos = await Promise.all(group.photos.map((path) => readFile(path)));
  const pace = createPace();
  const world = { client, ask, photos, server: group.server, origin: group.origin, residents: group.residents, pace };
  const histories = group.histories.map((one) => createHistory({ ...world, ...one }));
  const phase = async (name) => {
    const t0 = Date.now();
    await Promise.all(histories.map((history) => history.run(name)));
    if (process.env.TORTURE_TIMES) console.error(name, Date.now() - t0);
  };
  await phase('begin');
  await ask('chaos');
  await phase('chaos');
  await ask('heal');
  await phase('heal');
  pace.stop();
  await phase('converge');
  const t1 = Date.now();
  await ask('settle');
  if (process.env.TORTURE_TIMES) console.error('settle', Date.now() - t1);
  const mails = await ask('mails');
  for (const history of histories) history.mails = mails;
  await phase('check');
  return histories.map((history) => history.end());
}

for await (const line of createInterface({ input: process.stdin })) {
  const said = JSON.parse(line);
  if (said.group) {
    void playGroup(said.group).then(
      (ended) => process.stdout.write(`${JSON.stringify({ ended })}\n`),
      (error) => process.stdout.write(`${JSON.stringify({ ended: [], error: error.stack })}\n`),
    );
  } else {
    const { resolve, reject } = asked.get(said.id);
    asked.delete(said.id);
    if (said.error) reject(new Error(said.error));
    else resolve(said.value);
  }
}
