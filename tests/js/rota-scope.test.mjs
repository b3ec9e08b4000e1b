// The rota on the phone: only of the teams that she sees, also when that changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALL, loadHeads, storeFirst, storePull } from '../../static/js/sync/replica.js';
import { narrowRota } from '../../static/js/sync/upkeep.js';
import { createMemory } from '../../static/js/store/memory.js';
import { createMemoryDisk } from './disk.mjs';

const shift = (s, id, team) => ({
  s,
  key: `shift:${id}`,
  c: '',
  body: JSON.stringify({ s, id, team, person: 'anna', from_ms: 0, to_ms: 9 }),
});
const absence = (s, id, team, more = {}) => ({
  s,
  key: `absence:${id}${team ? `@${team}` : ''}`,
  c: '',
  body: JSON.stringify({ s, id, person: 'bram', from_ms: 0, to_ms: 9, ...more }),
});
const scope = (hash, rota) => ({ hash, areas: ['A'], me: { id: 'anna' }, ...(rota && { rota }) });

async function phone(rota, rows) {
  const disk = /** @type {any} */ (createMemoryDisk(ALL));
  const header = { head: 9, next: null, scope: scope('old', rota) };
  await storeFirst(disk, { header, rows, lines: [] }, 1);
  return disk;
}
const pull = (disk, header, rows = []) =>
  storePull(disk, { header: { to: 20, ...header }, rows, lines: [] }, 2);
const keys = async (disk) => (await loadHeads(disk)).rows.map((row) => row.k).sort();
const everything = [
  shift(1, 's1', 'noord'),
  shift(2, 's2', 'zuid'),
  absence(3, 'a1', 'noord'),
  absence(4, 'a1', 'zuid'),
];

test('of a team that she no longer sees the rota goes, and the rest is asked for', async () => {
  const disk = await phone(['noord', 'zuid'], everything);
  const { saved } = await pull(disk, { scope: scope('new', ['noord']) });
  assert.equal(saved.personal, false);
  const change = await narrowRota(disk);
  assert.equal(change?.reload, true);
  assert.equal(change?.saved.version, saved.version + 1);
  assert.deepEqual(await keys(disk), ['absence:a1@noord', 'shift:s1']);
});

test('a phone from before that had everything keeps only what is hers', async () => {
  const disk = await phone(undefined, [...everything, absence(5, 'a2', '')]);
  await pull(disk, { scope: scope('new', ['zuid']) });
  await narrowRota(disk);
  assert.deepEqual(await keys(disk), ['absence:a1@zuid', 'shift:s2']);
});

test('a scope that changes otherwise leaves the rota alone', async () => {
  const disk = await phone(['noord'], everything.slice(0, 1));
  for (const rota of [['noord'], undefined]) {
    // An older server says nothing of the rota.
    await pull(disk, { scope: scope('new', rota) });
    assert.equal(await narrowRota(disk), null);
  }
  assert.deepEqual(await keys(disk), ['shift:s1']);
});

test('an absence that stands with two teams is one, and what came last holds', async () => {
  const disk = await phone(
    ['noord', 'zuid'],
    [absence(3, 'a1', 'noord', { gone: true }), absence(4, 'a1', 'zuid')],
  );
  const silent = /** @type {any} */ ({ tell() {}, isClosed: () => false, unlessClosed() {} });
  const memory = createMemory(disk, silent);
  await memory.readEverything();
  const known = [...memory.refs.get('absence').values()];
  assert.equal(known.length, 1);
  assert.equal(known[0].gone, undefined);
});
