/**
 * A sheet with a form whose answer comes from the server: it stays open, with the reason, until the server agreed.
 * @module
 */
import { html, nothing } from 'lit-html';
import { word } from '../../i18n.js';
import { NoAnswer } from '../../sync/wire.js';
import { showDialog } from '../dialogs.js';
import { icon } from '../icons.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('../../i18n.js').Key} Key */

/** Raised by a form's `submit` for something that she can put right. */
export class Wrong extends Error {
  /** @param {string} field @param {Key} key */
  constructor(field, key) {
    super(key);
    this.field = field;
    this.key = key;
  }
}

/**
 * Why the server did not do it, in a sentence she can act on.
 * @param {Context} context
 * @param {unknown} error
 */
export function whyNot({ t }, error) {
  if (!(error instanceof NoAnswer)) return t('failed_try');
  const { kind, status, problem } = error.failure;
  if (kind === 'signed_out' || kind === 'revoked') return t('bar_signed_out');
  if (kind !== 'refused') return t('oncall_no_answer');
  if (problem?.reason) {
    const said = word(t, 'oncall_refused', problem.reason);
    if (said !== problem.reason) return said;
  }
  return t(status === 403 ? 'oncall_refused_not_allowed' : 'oncall_refused_other');
}

/**
 * @param {Context} context
 * @param {object} form
 * @param {string} form.label
 * @param {string} form.yes
 * @param {(wrong: (field: string) => unknown) => import('lit-html').TemplateResult} form.fields `wrong(field)` is what is wrong with it
 * @param {(data: FormData) => Promise<unknown>} form.submit raises Wrong, or NoAnswer
 */
export function openForm(context, { label, yes, fields, submit }) {
  const { t } = context;
  /** @type {{field: string, text: string} | null} */
  let problem = null;
  let busy = false;

  /** @param {string} field */
  const wrong = (field) =>
    problem?.field === field
      ? html`<span class="problem" role="alert" id="wrong-${field}">${icon('urgent')}${problem.text}</span>`
      : nothing;

  /** @param {SubmitEvent} event */
  const send = async (event) => {
    event.preventDefault();
    if (busy) return;
    const form = /** @type {HTMLFormElement} */ (event.target);
    busy = true;
    problem = null;
    dialog.update();
    try {
      await submit(new FormData(form));
      dialog.close('done');
    } catch (error) {
      problem =
        error instanceof Wrong
          ? { field: error.field, text: t(error.key) }
          : { field: '', text: whyNot(context, error) };
      busy = false;
      dialog.update();
      if (problem.field)
        /** @type {HTMLElement | null} */ (form.querySelector(`[name=${problem.field}]`))?.focus();
    }
  };

  const dialog = showDialog(
    () =>
      html`<form class="form" novalidate aria-busy=${busy ? 'true' : 'false'} @submit=${send}>
        ${fields(wrong)} ${wrong('')}
        <div class="buttons">
          <button class="button" type="button" @click=${() => dialog.close()}>${t('cancel')}</button>
          <button class="button primary" aria-disabled=${busy ? 'true' : 'false'}>${yes}</button>
        </div>
      </form>`,
    { label, sheet: true, closeLabel: t('close') },
  );
  return dialog;
}

/**
 * A field with its label; what is wrong stands beside it, so that the label stays what it is.
 * @param {unknown} label
 * @param {unknown} control
 * @param {...unknown} beside
 */
export const field = (label, control, ...beside) =>
  html`<div><label class="field"><span>${label}</span>${control}</label>${beside}</div>`;

/** @param {FormDataEntryValue | null} value */
export const said = (value) => (typeof value === 'string' ? value.trim() : '');
