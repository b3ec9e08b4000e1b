/**
 * The bar ("balk"): one calm sentence about where things stand, and what waits. It never guesses: each sentence is something the app knows.
 * @module
 */
import { html } from 'lit-html';
import { icon } from './icons.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Status} Status */
/** @typedef {{kind: 'calm' | 'look' | 'problem', icon?: import('./icons.js').IconName, text: string, help?: string, action?: 'sign_in' | 'send' | 'update' | 'phone' | 'oncall' | 'channels', progress?: {have: number, total: number}}} Sentence */

/**
 * Everything worth saying, most important first. Pure.
 * @param {Pick<Context, 't' | 'clocks' | 'language'>} context
 * @param {Status} status
 * @param {Sentence[]} [concerns] what stands in the way of being woken, and channels that are in trouble
 * @returns {Sentence[]}
 */
export function sentences({ t, clocks, language }, status, concerns = []) {
  const since = status.sinceMs ? clocks.moment(status.sinceMs) : null;
  /** Only the dialog shows these; their words come after the first paint. @param {import('../i18n.js').Key} key */
  const later = (key) => {
    try {
      return t(key);
    } catch {
      return '';
    }
  };
  /** @type {Sentence[]} */
  const all = [];
  if (status.connection === 'revoked')
    all.push({
      kind: 'problem',
      icon: 'urgent',
      text: t('bar_revoked'),
      help: later('bar_revoked_help'),
      action: 'sign_in',
    });
  if (status.connection === 'signed_out')
    all.push({
      kind: 'problem',
      icon: 'look',
      text: t('bar_signed_out'),
      help: later('bar_signed_out_help'),
      action: 'sign_in',
    });
  if (status.storage)
    all.push({
      kind: 'problem',
      icon: 'urgent',
      text: t(`bar_storage_${status.storage}`),
      help: later(`bar_storage_${status.storage}_help`),
    });
  if (status.connection === 'portal')
    all.push({
      kind: 'look',
      icon: 'offline',
      text: t('bar_portal'),
      help: later('bar_portal_help'),
      action: 'send',
    });
  if (status.connection === 'offline')
    all.push({
      kind: 'look',
      icon: 'offline',
      text: since ? t('bar_offline_since', { time: since }) : t('bar_offline'),
      help: later('bar_offline_help'),
      action: 'send',
    });
  all.push(...concerns);
  if (status.updateReady)
    all.push({ kind: 'calm', icon: 'refresh', text: t('bar_update'), action: 'update' });
  const { progress } = status;
  if (progress && progress.have < progress.total)
    all.push({
      kind: 'calm',
      text: t('bar_first', {
        have: progress.have.toLocaleString(language),
        total: progress.total.toLocaleString(language),
      }),
      progress,
    });
  else if (status.lastInStepMs)
    all.push({
      kind: 'calm',
      text: t('bar_in_step', { time: clocks.moment(status.lastInStepMs) }),
    });
  else all.push({ kind: 'calm', text: t('bar_never') });
  return all;
}

/** On a phone the number with its icon, elsewhere the words; read aloud always the words. @param {number} n @param {string} words */
const pill = (n, words) =>
  html`<span class="pill-number" aria-hidden="true">${n}</span><span class="pill-words">${words}</span>`;

/** @param {Context} context */
export function createBar(context) {
  const { store, t } = context;
  /** @type {ReturnType<typeof import('./dialogs.js').showDialog> | null} */
  let dialog = null;

  const now = () => 
    sentences(context, store.status(), context.concerns());

  const open = async () => {
    const { showState } = await import('./state.js');
    if (dialog) return;
    dialog = showState(context, now);
    void dialog.closed.then(() => (dialog = null));
  };

  return {
    /** What a screen reader should hear when it changes; the time of the last step is left out, it changes all the time. */
    spoken() {
      const { connection, needsPerson } = store.status();
      const [first] = now();
      const news =
        connection === 'online' && first?.kind === 'calm' && !first.action
          ? ''
          : (first?.text ?? '');
      return [news, needsPerson ? t('bar_look', { n: needsPerson }) : '']
        .filter(Boolean)
        .join('. ');
    },
    render() {
      dialog?.update();
      const { waiting, needsPerson } = store.status();
      const all = now();
      const [first] = all;
      if (!first) return html``;
      const others =
        all.filter((sentence) => sentence.kind !== 'calm').length - (first.kind === 'calm' ? 0 : 1);
      const label = html`${first.icon ? icon(first.icon) : ''}<span class="bar-text">${first.text}</span>${others > 0 ? html`<span class="number">+${others}</span>` : ''}`;
      return html`<header class="bar ${first.kind}">
        ${
          first.action === 'sign_in'
            ? html`<a class="bar-main" href="/sign-in">${label}</a>`
            : html`<button class="bar-main" type="button" aria-haspopup="dialog" @click=${first.action === 'update' ? () => store.applyUpdate() : open}>${label}</button>`
        }
        ${waiting ? html`<a class="bar-pill" href="/outbox">${icon('queue')}${pill(waiting, t('bar_waiting', { n: waiting }))}</a>` : ''}
        ${needsPerson ? html`<a class="bar-pill look" href="/outbox">${icon('look')}${pill(needsPerson, t('bar_look', { n: needsPerson }))}</a>` : ''}
        ${
          first.progress
            ? html`<progress aria-label=${first.text} max=${first.progress.total} .value=${first.progress.have}></progress>`
            : ''
        }
      </header>`;
    },
  };
}
