/**
 * Residents who may be one person, as this phone knows them: what the server said, with the outbox laid over it. Pure.
 * @module
 */

/** @typedef {import('./types.js').Entry} Entry */
/** @typedef {import('./types.js').Pair} Pair */

/**
 * @param {Pair[]} stored
 * @param {Entry[]} entries the whole outbox, in order of writing
 * @param {Set<string>} areas what this person sees: who lost one of a pair's two areas knows of no pair
 * @returns {Pair[]}
 */
export function pairsOf(stored, entries, areas) {
  const living = stored.filter((pair) => !pair.gone && pair.in.every((area) => areas.has(area)));
  const found = new Map(living.map((pair) => [pair.id, pair]));
  for (const { kind, payload, state } of entries) {
    const before = kind === 'same' && found.get(payload.pair);
    // What a person must look at first did not take effect.
    if (!before || (state !== 'waiting' && state !== 'accepted')) continue;
    found.set(before.id, {
      ...before,
      verdict: payload.verdict,
      pending: state === 'waiting',
    });
  }
  return [...found.values()];
}

/** @param {Pair} pair @param {string} resident */
export const otherOf = (pair, resident) => (pair.a === resident ? pair.b : pair.a);

/** @param {Pair} pair @param {string} resident */
const isOf = (pair, resident) => pair.a === resident || pair.b === resident;

/**
 * Everybody whom a resident was said to be one with, nearest first; each with the pair that makes her so.
 * @param {string} resident
 * @param {Pair[]} pairs
 * @returns {Map<string, Pair|null>} the resident herself comes first, without a pair
 */
export function familyOf(resident, pairs) {
  const joined = pairs.filter(({ verdict }) => verdict === 'same');
  /** @type {Map<string, Pair|null>} */
  const found = new Map([[resident, null]]);
  for (const one of found.keys())
    for (const pair of joined)
      if (isOf(pair, one) && !found.has(otherOf(pair, one))) found.set(otherOf(pair, one), pair);
  return found;
}

const STRENGTH = ['email', 'phone', 'handle', 'name'];

/**
 * What can be asked about a resident, the strongest reason first: not whom she is one with already, and nobody whom
 * somebody kept apart from one of those.
 * @param {string} resident
 * @param {Pair[]} pairs
 * @returns {Pair[]}
 */
export function suggestionsOf(resident, pairs) {
  const hers = familyOf(resident, pairs);
  const apart = pairs.filter(({ verdict }) => verdict === 'different');
  return pairs
    .filter((pair) => {
      if (pair.verdict !== 'open' || !isOf(pair, resident)) return false;
      const other = otherOf(pair, resident);
      if (hers.has(other)) return false;
      const theirs = familyOf(other, pairs);
      return !apart.some(
        ({ a, b }) => (hers.has(a) && theirs.has(b)) || (hers.has(b) && theirs.has(a)),
      );
    })
    .sort((a, b) => STRENGTH.indexOf(a.why) - STRENGTH.indexOf(b.why) || (a.id < b.id ? -1 : 1));
}

/** What a resident was said not to be. @param {string} resident @param {Pair[]} pairs */
export const apartFrom = (resident, pairs) =>
  pairs.filter((pair) => pair.verdict === 'different' && isOf(pair, resident));

/**
 * The operation that says something of a pair; it names whom this phone showed as one with either, so that the server
 * joins nobody unseen.
 * @param {Pair} pair
 * @param {Pair['verdict']} verdict
 * @param {Pair[]} pairs
 */
export const saying = (pair, verdict, pairs) => ({
  pair: pair.id,
  verdict,
  was: pair.verdict,
  among: [...new Set([...familyOf(pair.a, pairs).keys(), ...familyOf(pair.b, pairs).keys()])],
});

/** As people write it: a number is kept as its digits. @param {string} kind @param {string} value */
export const written = (kind, value) => (kind === 'phone' ? `+${value}` : value);
