/**
 * How long a reply is in its channel's own count, and templates filled in. Pure.
 * @module
 */

const encoder = new TextEncoder();
/** @type {Intl.Segmenter | null} */
let segmenter = null;

/** @param {string} text */
function graphemes(text) {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return [...segmenter.segment(text)].map((part) => part.segment);
}

/**
 * X counts a link as 23 and what isn't in these ranges, like an emoji, as two.
 * Source: docs.x.com, "Counting characters" (twitter-text configuration v3).
 * @param {string} text
 */
function weighted(text) {
  let links = 0;
  const rest = text.normalize('NFC').replace(/https?:\/\/\S+/g, () => (links++, ''));
  let total = links * 23;
  for (const grapheme of graphemes(rest)) {
    if (
      /\p{Extended_Pictographic}|\p{Regional_Indicator}/u.test(grapheme) &&
      !/^[#*0-9]$/.test(grapheme)
    )
      total += 2;
    else
      for (const character of grapheme) {
        const code = character.codePointAt(0) ?? 0;
        const light =
          code <= 4351 ||
          (code >= 8192 && code <= 8205) ||
          (code >= 8208 && code <= 8223) ||
          (code >= 8242 && code <= 8247);
        total += light ? 1 : 2;
      }
  }
  return total;
}

/**
 * @param {string} text
 * @param {string} counts characters (code points) | graphemes | bytes (UTF-8) | weighted
 */
export function count(text, counts) {
  if (counts === 'bytes') return encoder.encode(text).length;
  if (counts === 'weighted') return weighted(text);
  if (counts === 'graphemes') return graphemes(text).length;
  let total = 0;
  for (const _ of text) total++;
  return total;
}

/**
 * @param {string} text with `{naam}` (resident) and `{mijn naam}` or `{mijn_naam}` (writer)
 * @param {{resident: string | null, fallback: string, me: string}} names
 */
export function fillTemplate(text, { resident, fallback, me }) {
  return text
    .replace(/\{(naam|name)\}/gi, () => resident || fallback)
    .replace(/\{(mijn[ _]naam|my[ _]name)\}/gi, () => me);
}

/**
 * Where a template still asks for something that only its writer knows, like `{datum}`.
 * @param {string} text
 * @returns {{start: number, end: number, said: string} | null} the first; `said` with its braces
 */
export function openPlace(text) {
  const found = /\{[\p{L}][\p{L} _]{0,39}\}/u.exec(text);
  return found && { start: found.index, end: found.index + found[0].length, said: found[0] };
}

/**
 * Where a template goes: in an empty field as it is, else after a blank line.
 * @param {string} typed
 * @param {string} addition
 */
export function append(typed, addition) {
  return typed.trim() ? `${typed.trimEnd()}\n\n${addition}` : addition;
}

/**
 * What the photos of a draft show, as an operation says it: only of those of which somebody typed it.
 * @param {import('./photos.js').Written[]} list
 * @returns {Record<string, string> | null}
 */
export function altsOf(list) {
  const said = list.flatMap(({ id, alt }) => (alt?.trim() ? [[id, alt.trim()]] : []));
  return said.length ? Object.fromEntries(said) : null;
}
