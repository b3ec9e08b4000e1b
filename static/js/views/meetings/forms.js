/**
 * A sheet with a form whose answer lies on this tablet at once: it stays open, with the reason, until it was stored.
 * @module
 */
import { html, nothing } from 'lit-html';
import { showDialog } from '../dialogs.js';
import { icon } from '../icons.js';

/** @typedef {import('../meetings.js').Desk} Desk */
/** @typedef {import('../meetings.js').Word} Word */

/** Raised by a form's `submit` for something that can be put right. */
export class Lacks extends Error {
  /** @param {string} field @param {Word} word */
  constructor(field, word) {
    super(word);
    this.field = field;
    this.word = word;
  }
}

/** @param {FormDataEntryValue | null} value */
export const typed = (value) => (typeof value === 'string' ? value.trim() : '');

/**
 * @param {Desk} desk
 * @param {object} form
 * @param {string} form.label
 * @param {string} form.yes
 * @param {() => import('lit-html').TemplateResult} form.fields
 * @param {(data: FormData) => Promise<unknown>} form.submit raises Lacks
 */
export function openSheet({ context, say }, { label, yes, fields, submit }) {
  let problem = '';
  let busy = false;

  /** @param {SubmitEvent} event */
  const send = async (event) => {
    event.preventDefault();
    if (busy) return;
    const form = /** @type {HTMLFormElement} */ (event.target);
    busy = true;
    let field = '';
    try {
      await submit(new FormData(form));
      dialog.close('done');
      return;
    } catch (error) {
      problem = say(error instanceof Lacks ? error.word : 'catch_failed');
      field = error instanceof Lacks ? error.field : '';
    }
    busy = false;
    dialog.update();
    const wrong = /** @type {HTMLElement | null} */ (
      field && form.querySelector(`[name=${field}]`)
    );
    wrong?.setAttribute('aria-invalid', 'true');
    wrong?.focus();
  };

  const dialog = showDialog(
    () =>
      html`<form class="form" novalidate @submit=${send}>
        ${fields()}
        ${problem ? html`<p class="problem" role="alert">${icon('urgent')}${problem}</p>` : nothing}
        <div class="buttons">
          <button class="button" type="button" @click=${() => dialog.close()}>${context.t('cancel')}</button>
          <button class="button primary">${yes}</button>
        </div>
      </form>`,
    { label, sheet: true, closeLabel: context.t('close') },
  );
  return dialog;
}
