/**
 * Why a conversation is urgent or not, in a sentence, and the one tap that says otherwise.
 * @module
 */
import { html, nothing } from 'lit-html';
import { createActions } from './actions.js';
import { icon } from './icons.js';
import { may, nameFirst } from './names.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Head} Head */
/** @typedef {{code: string} & Record<string, any>} Why */

const HOUR = 60;
const DAY = 24 * HOUR;

/** @param {Pick<Context, 't'>} context @param {number} minutes */
export function span({ t }, minutes) {
  if (minutes >= 2 * DAY && minutes % DAY === 0) return t('verdict_days', { n: minutes / DAY });
  return minutes % HOUR === 0
    ? t('verdict_hours', { n: minutes / HOUR })
    : t('verdict_minutes', { n: minutes });
}

/**
 * What the rules saw, in a sentence; nothing for a reason that only a newer server knows.
 * @param {Pick<Context, 't'>} context
 * @param {Why} why
 */
export function reason({ t }, why) {
  switch (why.code) {
    case 'word':
      return t('verdict_word', { word: why.word });
    case 'every':
      return t('verdict_every');
    case 'ticked':
      return t('verdict_ticked');
    case 'repeated':
      return t('verdict_repeated', { n: why.times, span: span({ t }, why.minutes) });
    case 'no_reaction':
      return t(why.open_hours ? 'verdict_silent_open' : 'verdict_silent', {
        span: span({ t }, why.minutes),
      });
    case 'denied':
      return t('verdict_denied', { word: why.word, by: why.by });
    case 'nothing':
      return t('verdict_nothing');
    default:
      return '';
  }
}

/** The same with when the rule holds. @param {Pick<Context, 't'>} context @param {Why} why */
export const fullReason = (context, why) =>
  [
    reason(context, why),
    why.when === 'closed' ? context.t('verdict_closed') : '',
    why.when === 'open' ? context.t('verdict_open') : '',
  ]
    .filter(Boolean)
    .join(' ');

/**
 * What to say of a conversation: whether it is urgent, why, and whether a person said otherwise.
 * @param {Context} context
 * @param {Head} head
 * @returns {{urgent: boolean, text: string} | null} null when there is nothing to say
 */
export function sayVerdict(context, head) {
  const { t } = context;
  const { urgent, verdict } = head;
  const marked = head.urgent_reason ?? '';
  if (!verdict || verdict.why.code === 'person') return urgent ? { urgent, text: marked } : null;
  const saw = fullReason(context, verdict.why);
  if (urgent === verdict.urgent) {
    if (!urgent && verdict.why.code === 'nothing') return null;
    return { urgent, text: saw || marked };
  }
  // What she tapped just now is not on the server yet: then nobody is named.
  const who = verdict.by ? nameFirst(context, verdict.by) : '';
  if (urgent) return { urgent, text: marked || (who ? t('verdict_set_by', { who }) : '') };
  return {
    urgent,
    text: [who ? t('verdict_taken_by', { who }) : t('verdict_taken'), saw].join(' '),
  };
}

/** @param {Context} context @param {Head} head */
export function verdict(context, head) {
  const { t } = context;
  const said = sayVerdict(context, head);
  if (!said) return nothing;
  const { urgent, text } = said;
  const correct = () =>
    createActions(context).act(
      head,
      'urgent',
      { urgent: !urgent, reason: urgent ? '' : (head.verdict?.why.word ?? '') },
      t(urgent ? 'verdict_now_calm' : 'verdict_now_urgent'),
    );
  return html`<div class="verdict">
    ${
      urgent
        ? html`<p class="row-urgent">${icon('urgent')}<span>${text ? `${t('urgent')}: ${text}` : t('urgent')}</span></p>`
        : html`<p class="hint">${text}</p>`
    }
    ${
      may(context, 'note') && !head.erased
        ? html`<button class="button quiet" type="button" @click=${correct}>${t(urgent ? 'verdict_not_urgent' : 'verdict_urgent')}</button>`
        : nothing
    }
  </div>`;
}
