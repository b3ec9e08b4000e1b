/**
 * Questions and sheets in a real <dialog>: focus is kept inside, Escape closes, focus returns to where it was.
 * @module
 */
import { html, render } from 'lit-html';
import { icon } from './icons.js';

/**
 * @param {() => import('lit-html').TemplateResult} body
 * @param {{label: string, sheet?: boolean, wideSheet?: boolean, closeLabel: string}} options
 * @returns {{update: () => void, close: (value?: string) => void, closed: Promise<string>, element: HTMLDialogElement}}
 */
export function showDialog(body, { label, sheet = false, closeLabel }) {
  const element = document.createElement('dialog');
  element.className = sheet ? 'sheet' : 'question';
  element.setAttribute('aria-label', label);
  const update = () =>
    render(
      html`<div class="dialog-head">
          <h2>${label}</h2>
          <button class="button quiet" type="button" aria-label=${closeLabel} @click=${() => element.close('')}>
            ${icon('close')}
          </button>
        </div>
        ${body()}`,
      element,
    );
  update();
  document.body.append(element);
  // A tap beside the dialog closes it, as people expect of a sheet on a phone.
  element.addEventListener('click', (event) => {
    if (event.target === element) element.close('');
  });
  /** @type {Promise<string>} */
  const closed = new Promise((resolve) =>
    element.addEventListener('close', () => {
      element.remove();
      resolve(element.returnValue);
    }),
  );
  element.showModal();
  return { update, close: (value = '') => element.close(value), closed, element };
}

/**
 * @param {import('./types.js').Context} context
 * @param {{title: string, text?: string, yes: string, no?: string, danger?: boolean}} question
 */
export async function confirm({ t }, { title, text, yes, no = t('cancel'), danger = false }) {
  const dialog = showDialog(
    () =>
      html`${text ? html`<p>${text}</p>` : ''}
        <form method="dialog" class="buttons">
          <button class="button" value="">${no}</button>
          <button class="button ${danger ? 'danger' : 'primary'}" value="yes">${yes}</button>
        </form>`,
    { label: title, closeLabel: t('close') },
  );
  return (await dialog.closed) === 'yes';
}
