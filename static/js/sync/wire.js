/** @import { Answer, Env, Failure, WireLine, WireRow } from '../types.js' */

const NEWLINE = 10;
const TAB = '\t';

/**
 * Raised for everything that is not the documented answer; such an answer changes nothing on the phone.
 */
export class NoAnswer extends Error {
  /** @param {Failure} failure */
  constructor(failure) {
    super(failure.kind);
    this.failure = failure;
  }
}

/** @returns {never} */
function garbled() {
  throw new NoAnswer({ kind: 'garbled' });
}

/**
 * Read an answer of the feed: a header line, then lines that must match its count and its SHA-256.
 * Raises NoAnswer('garbled') when anything is missing, so that a truncated body is thrown away whole.
 * @param {Env} env
 * @param {Uint8Array} bytes
 * @param {'sync'|'personal'|'first'|'walk'|'conversation'} shape
 * @returns {Promise<Answer>}
 */
export async function readAnswer(env, bytes, shape) {
  const end = bytes.indexOf(NEWLINE);
  const header = parse(bytes.subarray(0, end < 0 ? bytes.length : end));
  if (header?.v !== 1) garbled();
  const body = end < 0 ? new Uint8Array() : bytes.subarray(end + 1);
  const sum = (await env.digest(body)).slice(0, 16);
  if (header.sum !== sum) garbled();
  const text = new TextDecoder().decode(body);
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const onlyRows = shape === 'sync' || shape === 'personal';
  const rowCount = onlyRows ? header.rows : shape === 'first' ? header.refs : 0;
  const lineCount = onlyRows ? 0 : header.conversations;
  if (lines.length !== rowCount + lineCount) garbled();
  checkHeader(header, shape);
  return {
    header,
    rows: lines.slice(0, rowCount).map(readRow),
    lines: lines.slice(rowCount).map(readLine),
  };
}

/** @param {Uint8Array} bytes @returns {any}  raises NoAnswer when it is not JSON */
export function parse(bytes) {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return garbled();
  }
}

/** @param {Record<string, any>} header @param {string} shape */
function checkHeader(header, shape) {
  const whole = Number.isSafeInteger;
  if (shape === 'sync') {
    if (!whole(header.to) || !whole(header.head) || !Array.isArray(header.results))
      garbled();
  } else if (shape === 'first' || shape === 'walk') {
    if (!(header.next === null || whole(header.next))) garbled();
  }
  if (shape === 'first' && !(whole(header.head) && Array.isArray(header.scope?.areas)))
    garbled();
}

/** @param {string} line @returns {WireRow} */
function readRow(line) {
  const [seq, key, c, body] = line.split(TAB);
  const s = Number(seq);
  if (!Number.isSafeInteger(s) || !key || body === undefined) garbled();
  return { s, key, c, body };
}

/** @param {string} line @returns {WireLine} */
function readLine(line) {
  const [id, number, head, messages] = line.split(TAB);
  if (!id || !head || messages === undefined || !Number.isSafeInteger(Number(number)))
    garbled();
  return { id, number: Number(number), head, messages };
}
