/**
 * Each rule as a sentence. Pure.
 * @module
 */
import { word } from '../../i18n.js';
import { clockOf } from '../moments.js';
import { span } from '../verdict.js';

/** @typedef {Pick<import('../types.js').Context, 't' | 'language'>} Speaking */
/** @typedef {import('../../rules-api.js').Rule} Rule */
/** @typedef {import('../../rules-api.js').Hours} Hours */

const SHOWN = 6;
/** A Monday, to name the days of the week by. */
const MONDAY_MS = Date.UTC(2024, 0, 1, 12);
const DAY_MS = 86_400_000;

/** @param {Speaking} speaking @param {string[]} names @param {'disjunction' | 'conjunction'} type */
const listed = ({ language }, names, type) =>
  new Intl.ListFormat(language === 'en' ? 'en-GB' : 'nl-NL', { type }).format(names);

/** What a rule is called: its own name, or that of those that Stoep comes with. @param {Speaking} speaking @param {Rule} rule */
export function ruleName({ t }, rule) {
  if (rule.name) return rule.name;
  const known = word(t, 'rules_name', rule.id);
  return known === rule.id ? t('rules_name_own') : known;
}

/** @param {Speaking} speaking @param {Rule} rule */
export function ruleSentence(speaking, rule) {
  const { t } = speaking;
  const when = rule.when === 'always' ? '' : ` ${t(`rules_when_${rule.when}`)}`;
  const who = rule.senders.length
    ? listed(
        speaking,
        rule.senders.map((one) => word(t, 'rules_sender', one)),
        'disjunction',
      )
    : t('rules_anybody');
  const via = rule.channels.length
    ? ` ${t('rules_via', {
        channels: listed(
          speaking,
          rule.channels.map((one) => word(t, 'channel', one).toLowerCase()),
          'disjunction',
        ),
      })}`
    : '';
  switch (rule.kind) {
    case 'words':
      return t('rules_say_words', { who, via, when });
    case 'every':
      return t('rules_say_every', { who, via, when });
    case 'ticked':
      return t('rules_say_ticked', { when });
    case 'repeated':
      return t('rules_say_repeated', {
        times: rule.times,
        span: span(speaking, rule.minutes),
        when,
      });
    default:
      return t(rule.open_hours ? 'rules_say_silent_open' : 'rules_say_silent', {
        span: span(speaking, rule.minutes),
      });
  }
}

/** The first words of a rule. @param {Speaking} speaking @param {string[]} words */
export function fewWords({ t }, words) {
  const first = words
    .slice(0, SHOWN)
    .map((one) => `“${one}”`)
    .join(', ');
  const left = words.length - SHOWN;
  return left > 0 ? `${first} ${t('rules_and_more', { n: left })}` : first;
}

/** Names of the days, Monday first. @param {Speaking} speaking @param {'long' | 'short'} [weekday] */
export function dayNames({ language }, weekday = 'long') {
  const format = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : 'nl-NL', {
    weekday,
    timeZone: 'UTC',
  });
  return [0, 1, 2, 3, 4, 5, 6].map((day) => format.format(MONDAY_MS + day * DAY_MS));
}

/** Opening hours, days with the same hours together. @param {Speaking} speaking @param {Hours} hours @returns {string[]} */
export function hoursLines(speaking, { week }) {
  const names = dayNames(speaking);
  const said = (/** @type {number} */ day) => {
    const open = week[day];
    return open
      ? `${clockOf(open[0])}–${open[1] === 1440 ? '24:00' : clockOf(open[1])}`
      : speaking.t('rules_closed');
  };
  /** @type {string[]} */
  const lines = [];
  for (let from = 0; from < 7;) {
    let to = from;
    while (to < 6 && said(to + 1) === said(from)) to++;
    const days =
      to === from
        ? names[from]
        : speaking.t('rules_days', { from: names[from] ?? '', to: names[to] ?? '' });
    lines.push(`${days}: ${said(from)}`);
    from = to + 1;
  }
  return lines;
}

/** Plain enough to see that two phrases are the same. @param {string} phrase */
export const plain = (phrase) =>
  phrase
    .normalize('NFKD')
    .replace(/[\p{M}'’‘´`]/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{So}]+/gu, ' ')
    .trim();

/**
 * What was typed or pasted as phrases: one a line, or with commas.
 * @param {string} typed
 * @param {string[]} known
 * @returns {string[]} those that are new
 */
export function phrasesIn(typed, known) {
  const have = new Set(known.map(plain));
  const fresh = [];
  for (const piece of typed.split(/[\n,;]+/)) {
    const phrase = piece.trim().replace(/\s+/g, ' ');
    if (!plain(phrase) || have.has(plain(phrase))) continue;
    have.add(plain(phrase));
    fresh.push(phrase);
  }
  return fresh;
}
