/** Search over what is on the phone: folds case and diacritics, wants every word. Fetched when it is needed. */

/** @import { Disk, Entry, Head, Message } from './types.js' */

const LIMIT = 50;
const PAGES_AT_ONCE = 200;

/** Letters that people type without their marks. */
const FOLDS = /** @type {Record<string, string>} */ ({
  a: 'aàáâãäåā',
  c: 'cçć',
  e: 'eèéêëēęě',
  g: 'gğ',
  i: 'iìíîïīıİ',
  l: 'lł',
  n: 'nñń',
  o: 'oòóôõöøō',
  s: 'sşšś',
  u: 'uùúûüūů',
  y: 'yýÿ',
  z: 'zžźż',
});

/** @param {string} text @returns {string} */
export const fold = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

/**
 * One expression a word; each matches its word however it is accented.
 * @param {string} query
 * @returns {RegExp[]}
 */
export function wordsOf(query) {
  return fold(query)
    .split(/[^\p{L}\p{N}@.]+/u)
    .filter(Boolean)
    .map((word) => {
      const letters = [...word].map((letter) =>
        FOLDS[letter] ? `[${FOLDS[letter]}]` : letter.replace('.', '\\.'),
      );
      return new RegExp(`${letters.join('\\p{M}*')}\\p{M}*`, 'iu');
    });
}

/** @param {RegExp[]} words @param {string} text */
export const matches = (words, text) => words.every((word) => word.test(text));

/**
 * The words around the first hit.
 * @param {RegExp} word
 * @param {string} text
 * @returns {string|null}
 */
export function snippet(word, text) {
  const hit = word.exec(text);
  if (!hit) return null;
  const from = Math.max(0, hit.index - 40);
  const to = Math.min(text.length, hit.index + 100);
  return `${from > 0 ? '…' : ''}${text.slice(from, to)}${to < text.length ? '…' : ''}`;
}

/**
 * @param {Disk} disk
 * @param {string} query
 * @param {Head[]} heads  newest first
 * @param {Entry[]} entries
 * @returns {Promise<{head: Head, snippet: string}[]>}  in the order of the heads
 */
export async function searchPhone(disk, query, heads, entries) {
  const words = wordsOf(query);
  if (!words.length) return [];
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const head of heads) {
    if (matches(words, headText(head)))
      found.set(head.id, snippet(words[0], head.preview) ?? head.preview);
  }
  await searchMessages(disk, words, found);
  for (const entry of entries) {
    const text = String(entry.payload.text ?? '');
    if (matches(words, text)) found.set(entry.conversation_id, snippet(words[0], text) ?? '');
  }
  return heads
    .filter((head) => found.has(head.id))
    .slice(0, LIMIT)
    .map((head) => ({ head, snippet: found.get(head.id) ?? '' }));
}

/** @param {Head} head */
function headText({ subject, resident, preview, place, number, topics }) {
  return [subject, resident?.name, resident?.address, preview, place, number, ...topics]
    .filter(Boolean)
    .join(' ');
}

/**
 * @param {Disk} disk
 * @param {RegExp[]} words
 * @param {Map<string, string>} found  filled
 */
async function searchMessages(disk, words, found) {
  const [first] = words;
  const rows = await disk.read(['rows'], (tx) => tx.getAll('rows', 'm:', 'm;'));
  const newer = new Set(rows.map((row) => row.k));
  /** @param {Message} message */
  const look = (message) => {
    const text = [message.text, message.name, message.quoted].filter(Boolean).join('\n');
    if (!message.erased && matches(words, text))
      found.set(message.c, snippet(first, message.text) ?? snippet(first, text) ?? '');
  };
  for (const row of rows) if (matches(words, row.b)) look(JSON.parse(row.b));
  /** @type {string|undefined} */
  let after;
  for (;;) {
    const [ids, pages] = await disk.read(['pages'], (tx) =>
      Promise.all([
        tx.keys('pages', after, undefined, PAGES_AT_ONCE),
        tx.getAll('pages', after, undefined, PAGES_AT_ONCE),
      ]),
    );
    for (const page of pages) {
      // Most pages are passed over without being parsed.
      if (!page.includes('\\u') && !matches(words, page)) continue;
      for (const message of JSON.parse(page)) {
        if (!newer.has(`m:${message.c}:${message.id}`)) look(message);
      }
    }
    if (ids.length < PAGES_AT_ONCE) return;
    after = `${ids[ids.length - 1]}\u0000`;
  }
}
