/**
 * Planted faults: the simulation must find each of them. A fault is an edit of a source file, made in a copy, so that
 * the code that is shipped knows nothing of it. The text to replace must occur exactly once: a fault cannot rot in
 * silence when the code around it changes.
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';

const STATIC = new URL('../../../static/', import.meta.url);
/** Below static/node_modules, where the copy finds its libraries and git finds nothing. */
const COPIES = new URL('node_modules/.cache/stoep-faults/', STATIC);

/** @typedef {{name: string, file: string, find: string, put: string}} Fault */

/** @type {Fault[]} */
export const FAULTS = [
  {
    name: 'an operation is deleted before the answer',
    file: 'outbox.js',
    find: `        entry.attempts = 1;
        tx.put('outbox', entry);`,
    put: `        tx.delete('outbox', entry.n);`,
  },
  {
    name: 'a failure of the server counts as success',
    file: 'sync/driver.js',
    find: `      dispatch({ type: 'failed', request, failure });
      return;`,
    put: `      if (failure.kind !== 'server' || request.name !== 'sync') return void dispatch({ type: 'failed', request, failure });
      answer = allApplied(request);`,
  },
  {
    name: 'any page with status 200 counts as success',
    file: 'sync/driver.js',
    find: `      dispatch({ type: 'failed', request, failure });
      return;`,
    put: `      if (failure.kind !== 'portal' || request.name !== 'sync') return void dispatch({ type: 'failed', request, failure });
      answer = allApplied(request);`,
  },
  {
    name: 'a retry gets a new id',
    file: 'sync/driver.js',
    find: `ops: request.ops.map(toOp) });`,
    put: `ops: request.ops.map((entry) => ({ ...toOp(entry), op_id: entry.last_error === null && state.failures ? \`\${entry.op_id}-\${state.failures}\` : entry.op_id })) });`,
  },
  {
    name: 'the cursor moves before the rows are stored',
    file: 'sync/driver.js',
    find: `          return await replica.storePull(replicaDisk, answer, env.now(), parts.known?.());`,
    put: `          await replicaDisk.write(['meta'], async (tx) => tx.put('meta', { ...(await tx.get('meta', 'saved')), cursor: answer.header.to }, 'saved'));
          return await replica.storePull(replicaDisk, answer, env.now(), parts.known?.());`,
  },
  {
    name: 'a walk moves on before its page is stored',
    file: 'sync/driver.js',
    find: `        return replica.storeWalk(replicaDisk, answer, request);`,
    put: `        await replicaDisk.write(['meta'], async (tx) => {
          const saved = await tx.get('meta', 'saved');
          const rest = saved.walks.slice(1);
          tx.put('meta', { ...saved, walks: answer.header.next === null ? rest : [{ ...saved.walks[0], next: answer.header.next }, ...rest] }, 'saved');
        });
        return replicaDisk.write(['pages', 'heads', 'meta'], async (tx) => {
          for (const line of answer.lines) tx.put('heads', \`[\${line.head}]\`, line.number + 1e6), tx.put('pages', line.messages, line.id);
          const saved = await tx.get('meta', 'saved');
          return { rows: [], heads: answer.lines.map((line) => line.head), pages: answer.lines.map((line) => line.id), gone: [], saved };
        });`,
  },
  {
    name: 'the sum is ignored',
    file: 'sync/wire.js',
    find: `  if (header.sum !== sum) garbled();`,
    put: ``,
  },
  {
    name: 'neither the sum nor the count is looked at',
    file: 'sync/wire.js',
    find: `  if (header.sum !== sum) garbled();`,
    put: `  if (header.sum !== sum) { header.rows = Math.max(0, body.filter((byte) => byte === 10).length); header.refs = 0; header.conversations = 0; }
  if (header.sum !== sum && shape !== 'sync') garbled();`,
  },
  {
    name: 'a smaller s replaces a larger one',
    file: 'sync/replica.js',
    find: `    if (row.s > (found.get(message.id)?.s ?? -1)) found.set(message.id, message);`,
    put: `    if (!found.has(message.id)) found.set(message.id, message);`,
  },
  {
    name: 'tombstones are not stored',
    file: 'sync/replica.js',
    find: `  let rows = wire.map(toRow);`,
    put: `  let rows = wire.filter((row) => !row.key.startsWith('x:')).map(toRow);`,
  },
  {
    name: 'a lost area stays on the phone',
    file: 'sync/replica.js',
    find: `  if (lost.size) {`,
    put: `  if (lost.size < 0) {`,
  },
  {
    name: 'a gained area is not filled in',
    file: 'sync/replica.js',
    find: `  if (gained.length && next.scope) {`,
    put: `  if (gained.length && !next.scope) {`,
  },
  {
    name: 'read marks are never asked for',
    file: 'sync/core.js',
    find: `  if (!saved.personal) return ask(`,
    put: `  if (!saved) return ask(`,
  },
  {
    name: 'a conversation back from before the window keeps its hole',
    file: 'sync/replica.js',
    find: `    if (here.length < head.position) next.checks`,
    put: `    if (here.length > head.position) next.checks`,
  },
  {
    name: 'half a conversation is folded into a page',
    file: 'sync/upkeep.js',
    find: `        if (whole.every((message, i) => message.position === i + 1)) {`,
    put: `        if (whole) {`,
  },
  {
    name: 'held counts as applied',
    file: 'outbox.js',
    find: `    ['held', 'held'],`,
    put: `    ['held', 'accepted'],`,
  },
  {
    name: 'a duplicate counts as rejected',
    file: 'outbox.js',
    find: `        const state = result && OUTCOMES.get(result.outcome);`,
    put: `        const state = result && (result.duplicate ? 'rejected' : OUTCOMES.get(result.outcome));`,
  },
  {
    name: 'results are taken by place, not by id',
    file: 'outbox.js',
    find: `        const result = answers.get(op_id);`,
    put: `        const result = results[(sent.findIndex((entry) => entry.op_id === op_id) + 1) % results.length];`,
  },
  {
    name: 'rejected operations are thrown away',
    file: 'outbox.js',
    find: `        const moot = entry.kind === 'read' && state !== 'accepted';`,
    put: `        const moot = state === 'rejected';`,
  },
  {
    name: 'an operation without a result counts as applied',
    file: 'outbox.js',
    find: `        const result = answers.get(op_id);`,
    put: `        const result = answers.get(op_id) ?? { op_id, outcome: 'applied', duplicate: false, seq: 0 };`,
  },
  {
    name: 'an operation is let go before the replica shows it',
    file: 'outbox.js',
    find: `entry.state === 'accepted' && (entry.result?.seq ?? 0) <= cursor;`,
    put: `entry.state === 'accepted';`,
  },
  {
    name: 'the draft goes before the operation is stored',
    file: 'store/sending.js',
    find: `        const written_at_ms = env.now();`,
    put: `        if (key !== null) await drafts.save(key, null);
        const written_at_ms = env.now();`,
  },
  {
    name: 'the draft stays after the operation is stored',
    file: 'outbox.js',
    find: `        if (draft && emptied.mine(draft)) tx.delete('drafts', emptied.key);`,
    put: ``,
  },
  {
    name: 'a draft that another tab is writing goes as well',
    file: 'outbox.js',
    find: `        if (draft && emptied.mine(draft)) tx.delete('drafts', emptied.key);`,
    put: `        tx.delete('drafts', emptied.key);`,
  },
  {
    name: 'the outbox is not strictly durable',
    file: 'outbox.js',
    find: `const STRICT = { strict: true };`,
    put: `const STRICT = { strict: false };`,
  },
  {
    name: 'an operation in flight may be taken back',
    file: 'taking-back.js',
    find: `  if (entry.state === 'accepted' || (entry.state === 'waiting' && entry.attempts > 0)) {`,
    put: `  if (entry.state === 'accepted') {`,
  },
  {
    name: 'what is sent is not marked first',
    file: 'outbox.js',
    find: `        entry.attempts = 1;
        tx.put('outbox', entry);`,
    put: ``,
  },
  {
    name: 'a batch is sent in another order',
    file: 'sync/core.js',
    find: `  return batch;
}`,
    put: `  return batch.reverse();
}`,
  },
  {
    name: 'an operation in its undo time holds nothing back',
    file: 'sync/core.js',
    find: `      heldBack.add(entry.conversation_id);
      continue;`,
    put: `      continue;`,
  },
  {
    name: 'a photo is not awaited',
    file: 'sync/core.js',
    find: `!uploading.has(entry.op_id) && set`,
    put: `set`,
  },
  {
    name: 'a photo that the server may have forgotten is not offered again',
    file: 'outbox.js',
    find: ` || (!attempts && Math.abs(now - offered_ms) > OFFER_AGAIN_MS);`,
    put: `;`,
  },
  {
    name: 'backoff grows without bound while she waits',
    file: 'sync/core.js',
    find: `  const cap = waiting && state.visible ? BACKOFF_CAP_WAITING_MS : BACKOFF_CAP_MS;`,
    put: `  const cap = BACKOFF_CAP_MS;`,
  },
  {
    name: 'signed out empties the outbox',
    file: 'sync/driver.js',
    find: `      dispatch({ type: 'failed', request, failure });
      return;`,
    put: `      if (failure.kind === 'signed_out') await outboxDisk.write(['outbox'], (tx) => tx.clear('outbox'));
      dispatch({ type: 'failed', request, failure });
      return;`,
  },
  {
    name: 'a tab never hears of the others',
    file: 'store/tabs.js',
    find: `else if (data.what === 'changed') void memory.inTurn(() => fromElsewhere(data));`,
    put: `else if (data.what === 'changed') memory.saved = { ...memory.saved, version: data.version };`,
  },
  {
    name: 'based_on says that she saw everything',
    file: 'sync/core.js',
    find: `  return { op_id, kind, conversation_id, based_on, payload, written_at_ms, v: 1 };`,
    put: `  return { op_id, kind, conversation_id, based_on: based_on === null ? null : 1e9, payload, written_at_ms, v: 1 };`,
  },
  {
    name: 'server: no UNIQUE on op_id',
    file: 'server',
    find: `        if (known) {`,
    put: `        if (known && known.outcome !== 'applied') {`,
  },
  {
    name: 'server: the ledger is not committed with the effect',
    file: 'server',
    find: `        this.ledger.set(op.op_id, result);`,
    put: `        (this.later ??= []).push([op.op_id, result]);
        if (this.later.length > 1) this.ledger.set(...this.later.shift());`,
  },
  {
    name: 'server: the cursor is the head, not the last row',
    file: 'server',
    find: `    const to = more ? page[page.length - 1].seq : this.seq;`,
    put: `    const to = this.seq;`,
  },
  {
    name: 'server: held operations are carried out all the same',
    file: 'server',
    find: `      if (reason)
        return verdict('held',`,
    put: `      if (reason) this.carryOut(person, op, conversation);
      if (reason)
        return verdict('held',`,
  },
  {
    name: 'words that may be on their way are simply dropped',
    file: 'taking-back.js',
    find: `      await tx.add('outbox', {`,
    put: `      if (op_ids.length) return entry;
      await tx.add('outbox', {`,
  },
  {
    name: 'what was held is stored anew in one transaction and taken out in another',
    file: 'taking-back.js',
    find: `      tx.delete('outbox', place);
      return { ...entry, n };
    },
    STRICT,
  );`,
    put: `      return { ...entry, n };
    },
    STRICT,
  ).then(async (entry) => {
    await disk.write(['outbox'], async (tx) => {
      const held = await find(tx, op_id);
      if (held) tx.delete('outbox', held.n);
    }, STRICT);
    return entry;
  });`,
  },
  {
    name: 'a changed reply does not say what it replaces',
    file: 'taking-back.js',
    find: `  if (all.length) draft.fields = { ...draft.fields, supersedes: all };`,
    put: ``,
  },
  {
    name: 'only the last of several versions is replaced',
    file: 'taking-back.js',
    find: `      const op_ids = [...(entry.payload.supersedes ?? []), op_id];`,
    put: `      const op_ids = [op_id];`,
  },
  {
    name: 'a reply in the stead of another does not say what it replaces',
    file: 'taking-back.js',
    find: `        payload: earlier.length ? { ...given.payload, supersedes: earlier } : given.payload,`,
    put: `        payload: given.payload,`,
  },
  {
    name: 'a reply in the stead of another throws her own words away',
    file: 'taking-back.js',
    find: `      if (payload.approved) remove(tx, entry);
      else await toDraft(tx, { ...entry, payload }, given);`,
    put: `      remove(tx, entry);`,
  },
  {
    name: 'words taken back belong to every tab',
    file: 'taking-back.js',
    find: `    updated_ms: now,
    tab,`,
    put: `    updated_ms: now,`,
  },
  {
    name: 'server: what was withdrawn takes effect when it comes later',
    file: 'server',
    find: `    for (const op_id of earlier.filter((id) => !this.ledger.has(id))) {`,
    put: `    for (const op_id of earlier.filter((id) => this.ledger.has(id))) {`,
  },
  {
    name: 'server: a newer version goes out although an older one did',
    file: 'server',
    find: `    if (sent.length) {`,
    put: `    if (sent.length && op.kind === 'withdraw') {`,
  },
  {
    name: 'server: it says withdrawn of what it sent',
    file: 'server',
    find: `    if (sent.length) {`,
    put: `    if (sent.length && op.kind !== 'withdraw') {`,
  },
  {
    name: 'server: who acknowledges later takes the alert over',
    file: 'server',
    find: `    if (alert.state === 'acknowledged') return \`already:\${alert.by}\`;`,
    put: ``,
  },
  {
    name: 'server: an acknowledgement is noted and the alert goes on',
    file: 'server',
    find: `    this.alerts.find(({ id }) => id === alert.id).acknowledged.push({ by: person.id, op_id });`,
    put: ``,
  },
  {
    name: 'an acknowledgement that came too late is shown as rejected',
    file: 'outbox.js',
    find: `        const state = result && OUTCOMES.get(result.outcome);`,
    put: `        const state = result && (result.detail ? 'rejected' : OUTCOMES.get(result.outcome));`,
  },
  {
    name: 'server: a conversation that moves leaves no tombstone',
    file: 'server',
    find: `        this.left.push({ id: conversation.id, scope: conversation.area });`,
    put: ``,
  },
  {
    name: 'server: what comes with the person is answered under another scope than the phone knows',
    file: 'server',
    find: `part === 'personal' && query.get('scope') !== this`,
    put: `part === 'walked' && query.get('scope') !== this`,
  },
  {
    name: 'server: a walk is answered under another scope than the phone knows',
    file: 'server',
    find: `    if (query.get('scope') !== this.scopeOf(person).hash) return problem(409, 'scope-changed');`,
    put: ``,
  },
];

const ALL_APPLIED = `
function allApplied({ ops, after }) {
  const results = ops.map(({ op_id }) => ({ op_id, outcome: 'applied', duplicate: false, seq: 0 }));
  return { header: { v: 1, results, to: after, head: after, more: false }, rows: [], lines: [] };
}
`;

/**
 * Copy the client modules (or the model server) with one fault planted.
 * @param {Fault} fault
 * @returns {Promise<{client: URL|undefined, server: URL|undefined}>}
 */
export async function plant(fault) {
  const folder = new URL(`${FAULTS.indexOf(fault)}/`, COPIES);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  if (fault.file === 'server') {
    const server = new URL('server.mjs', folder);
    await writeFile(
      server,
      edited(await readFile(new URL('server.mjs', import.meta.url), 'utf8'), fault),
    );
    return { client: undefined, server };
  }
  await cp(new URL('js/', STATIC), folder, { recursive: true });
  const path = new URL(fault.file, folder);
  const text = edited(await readFile(path, 'utf8'), fault);
  await writeFile(path, fault.put.includes('allApplied') ? text + ALL_APPLIED : text);
  return { client: folder, server: undefined };
}

/** @param {string} text @param {Fault} fault */
function edited(text, { name, find, put }) {
  const parts = text.split(find);
  if (parts.length !== 2)
    throw new Error(`"${name}" cannot be planted: its text occurs ${parts.length - 1} times`);
  return parts.join(put);
}
