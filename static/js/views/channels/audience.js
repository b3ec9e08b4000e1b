/**
 * Who will read a reply, and until when the channel takes one. Known on the phone, so also without a network.
 * @module
 */
import { html, nothing } from 'lit-html';
import { icon } from '../icons.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('../types.js').Head} Head */
/** @typedef {import('../types.js').Account} Account */

/** Everybody's globe, or a lock. @param {boolean} open */
export const audienceIcon = (open) =>
  open
    ? icon('web')
    : html`<svg class="i" viewBox="0 0 24 24" aria-hidden="true"><path d="M5 11h14v9H5zM8 11V8a4 4 0 0 1 8 0v3"></path></svg>`;

/** The last hour counts: then it stands out. */
const SOON_MS = 3_600_000;

/**
 * Whether everybody can read a reply; null where that is never in doubt. Pure.
 * @param {Pick<Head, 'public'>} head
 * @param {Pick<Account, 'public'> | null} account
 */
export function isPublic({ public: said }, account) {
  return said ?? (account?.public ? true : null);
}

/**
 * Was it copied from a closed group, in which whoever is in it reads what is answered there? Pure.
 * @param {Pick<Head, 'why_not' | 'channel'>} head
 */
export const isGroup = ({ why_not, channel }) => why_not === 'by_hand' && channel === 'contact';

/**
 * How long the channel still takes a reply, in words; null where that is for ever. Pure.
 * @param {Context['t']} t
 * @param {number | undefined} until_ms
 * @param {number} now_ms
 */
export function timeLeft(t, until_ms, now_ms) {
  if (until_ms === undefined) return null;
  const minutes = Math.max(0, Math.floor((until_ms - now_ms) / 60_000));
  const left =
    minutes < 60
      ? t('left_minutes', { minutes: String(minutes) })
      : t('left_hours', { hours: String(Math.floor(minutes / 60)), minutes: String(minutes % 60) });
  return t('reply_time_left', { left });
}

/**
 * Does the channel take the words of this reply no more? An approved text it takes at any time. Pure.
 * @param {Pick<import('../types.js').OutboxEntry, 'kind' | 'payload' | 'result'>} entry
 * @param {number | undefined} until_ms  until when it takes an answer
 * @param {number} now_ms
 */
export const isTooLate = ({ kind, payload, result }, until_ms, now_ms) =>
  kind === 'reply' &&
  !payload.approved &&
  ((until_ms ?? Infinity) <= now_ms || result?.reason === 'window');

/**
 * What stands over the field.
 * @param {Pick<Context, 't' | 'now'>} context
 * @param {Head} head
 * @param {Account | null} account
 */
export function audience({ t, now }, head, account) {
  const open = isPublic(head, account);
  const left = timeLeft(t, head.answer_by_ms, now());
  const soon = (head.answer_by_ms ?? Infinity) - now() < SOON_MS;
  return html`${
    open === null
      ? nothing
      : html`<p class="audience ${open ? 'open' : ''}">${audienceIcon(open)}${t(open ? 'reply_public' : 'reply_private')}</p>`
  }${left ? html`<p class="audience ${soon ? 'soon' : ''}">${icon('clock')}${left}</p>` : nothing}`;
}
