/** Bringing a photo to the server, piece by piece, where it went on before. Fetched when a photo waits. */

import { API, exchange } from './api.js';
import * as outbox from './outbox.js';
import { NoAnswer, parse } from './sync/wire.js';

/** @import { Disk, Env } from './types.js' */

const PIECE_BYTES = 64 * 1024;

/**
 * One piece more.
 * @param {{env: Env, outboxDisk: Disk, onUpload?: (blobId: string, fraction: number) => void}} parts
 * @param {string} id
 * @returns {Promise<null>}  raises NoAnswer
 */
export async function upload({ env, outboxDisk, onUpload }, id) {
  const photo = await outbox.photo(outboxDisk, id);
  if (!photo) return null;
  const { blob, type, uploaded_bytes } = photo;
  // One that the server had whole is offered again from its start.
  const offset = uploaded_bytes % blob.size;
  const piece = blob.slice(offset, offset + PIECE_BYTES);
  const have = await put(env, id, { offset, size: blob.size, type, piece });
  await notePiece(outboxDisk, id, { uploaded_bytes: have, offered_ms: env.now() });
  onUpload?.(id, have / blob.size);
  return null;
}

/**
 * Send one piece of a photo.
 * @param {Env} env
 * @param {string} blobId
 * @param {{offset: number, size: number, type: string, piece: Blob|Uint8Array}} what
 * @returns {Promise<number>}  bytes that the server has now; raises NoAnswer
 */
async function put(env, blobId, { offset, size, type, piece }) {
  const query = new URLSearchParams({ offset: String(offset), size: String(size), type });
  const path = `${API}/uploads/${encodeURIComponent(blobId)}?${query}`;
  const reply = await exchange(
    env,
    path,
    {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body: /** @type {any} */ (piece),
    },
    [409],
    ['application/json', 'application/problem+json'],
  );
  const have = parse(reply.bytes).have;
  if (!Number.isSafeInteger(have) || have < 0 || have > size)
    throw new NoAnswer({ kind: 'garbled' });
  return have;
}

/** @param {Disk} disk @param {string} id @param {{uploaded_bytes: number, offered_ms: number}} piece */
function notePiece(disk, id, piece) {
  return disk.write(['photos'], async (tx) => {
    const found = await tx.get('photos', id);
    if (found) tx.put('photos', { ...found, ...piece }, id);
  });
}
