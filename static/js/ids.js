/**
 * A UUID version 7: the instant in 48 bits, then random bits, so that ids sort by when they were made.
 * Source: RFC 9562 §5.7 (May 2024).
 * @param {number} now_ms
 * @param {Uint8Array} [random]  ten random bytes
 * @returns {string}
 */
export function uuid7(now_ms, random = crypto.getRandomValues(new Uint8Array(10))) {
  const bytes = new Uint8Array(16);
  for (let i = 0, rest = now_ms; i < 6; i += 1, rest = Math.floor(rest / 256))
    bytes[5 - i] = rest % 256;
  bytes.set(random, 6);
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function hex(bytes) {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
