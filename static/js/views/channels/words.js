/**
 * The words of these screens, which come with them; and what went wrong, in one sentence.
 * @module
 */
import { fill } from '../../i18n.js';
import { NoAnswer } from '../../sync/wire.js';

/** @typedef {keyof typeof import('../../i18n/nl-channels.js').messages} Key */
/** @typedef {(key: Key, values?: Record<string, string | number | null | undefined>) => string} Say */

/** @param {string} language @returns {Promise<Say>} */
export async function speakOfChannels(language) {
  const { messages } = await (language === 'en'
    ? import('../../i18n/en-channels.js')
    : import('../../i18n/nl-channels.js'));
  return (key, values) => fill(messages[key], values);
}

/** Of what the server says in both languages the one that is read here. @param {string} language @param {readonly string[]} both */
export const inWords = (language, both) => both[language === 'en' ? 1 : 0] ?? '';

/**
 * @param {Say} say
 * @param {unknown} error
 * @returns {{text: string, technical: string, fields: Map<string, string>}}
 */
export function whatWentWrong(say, error) {
  /** @type {Map<string, string>} */
  const fields = new Map();
  const told = (/** @type {string} */ text, technical = '') => ({ text, technical, fields });
  if (!(error instanceof NoAnswer) || error.failure.kind !== 'refused')
    return told(say('no_answer'));
  const { status, problem } = error.failure;
  for (const { field, message } of problem?.errors ?? []) fields.set(field, message);
  if (status === 403) return told(say('not_allowed'));
  if (problem?.reason === 'known') return told(say('known'));
  if (problem?.reason === 'other_account') return told(say('other_account'));
  if (problem?.reason === 'consent_over') return told(say('consent_over'));
  if (fields.size) return told(say('wrong_fields'));
  if (status !== 409 || problem?.technical === undefined) return told(say('refused'));
  const technical = problem.technical ? say('technical', { said: problem.technical }) : '';
  return told(`${problem.detail ?? ''} ${say('nothing_kept')}`.trim(), technical);
}
