/**
 * How things stand, behind the bar: all sentences with what they mean and what can be done.
 * @module
 */
import { html } from 'lit-html';
import { showDialog } from './dialogs.js';

/** @typedef {import('./bar.js').Sentence} Sentence */

/** @param {import('./types.js').Context} context @param {() => Sentence[]} now */
export function showState({ store, t, clocks }, now) {
  /** @param {Sentence} sentence */
  const action = ({ action }) => {
    if (action === 'sign_in')
      return html`<a class="button primary" href="/sign-in">${t('sign_in')}</a>`;
    if (action === 'update')
      return html`<button class="button primary" @click=${() => store.applyUpdate()}>${t('refresh')}</button>`;
    if (action === 'send')
      return html`<button class="button" @click=${() => store.sendNow()}>${t('try_now')}</button>`;
    return action
      ? html`<a class="button" href="/${action}" @click=${() => dialog.close()}>${t(`bar_to_${action}`)}</a>`
      : '';
  };

  const dialog = showDialog(
    () =>
      html`<ul class="state">
        ${now()
          .filter(
            ({ kind, action, progress }) =>
              store.status().connection === 'online' || kind !== 'calm' || action || progress,
          )
          .map(
            (sentence) =>
              html`<li>
              <p><strong>${sentence.text}</strong></p>
              ${sentence.help ? html`<p class="hint">${sentence.help}</p>` : ''} ${action(sentence)}
            </li>`,
          )}
        ${
          store.status().connection !== 'online' && store.status().lastInStepMs
            ? html`<li class="hint">${t('bar_last', { time: clocks.moment(store.status().lastInStepMs ?? 0) })}</li>`
            : ''
        }
      </ul>`,
    { label: t('bar_more'), sheet: true, closeLabel: t('close') },
  );
  return dialog;
}
