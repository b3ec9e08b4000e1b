/**
 * What a channel still takes when its time for answers is over: a text that it approved beforehand, chosen, filled in and
 * looked at in a sheet. Works without a network: the texts came with the account.
 * @module
 */
import { html, nothing } from 'lit-html';
import { showDialog } from '../dialogs.js';
import { icon } from '../icons.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('../types.js').Head} Head */
/** @typedef {import('../types.js').OutboxEntry} OutboxEntry */
/** @typedef {import('../types.js').Approved} Approved */

/** Of the whole text, filled in. Source: as in app/text/approved.py. */
export const MAX_CHARS = 1024;
const BLANK = /\{\{([^{}]*)\}\}/g;

/**
 * What has to be filled in, each once: numbers in their order, names as they come. Pure.
 * @param {string} text
 */
export function blanks(text) {
  const found = [...new Set([...text.matchAll(BLANK)].map((blank) => blank[1] ?? ''))];
  return found.every((name) => /^\d+$/.test(name)) ? found.sort((a, b) => +a - +b) : found;
}

/**
 * As the resident will read it; a blank without a value stays. Pure.
 * @param {string} text @param {Record<string, string>} values
 */
export const filled = (text, values) =>
  text.replace(BLANK, (blank, /** @type {string} */ name) => values[name] || blank);

/** One line, as the channel takes it. Pure. @param {string} typed */
export const oneLine = (typed) => typed.replace(/[\p{Cc}\s]+/gu, ' ').trim();

/**
 * @param {Context} context
 * @param {object} about
 * @param {() => Head} about.head  as it is on the screen now
 * @param {Approved[]} about.texts
 * @param {OutboxEntry} [about.instead]  what waits, and goes no more when this is sent
 * @param {() => number} about.basedOn  the highest position that she has seen
 */
export function openApproved(context, { head, texts, instead, basedOn }) {
  const { store, t } = context;
  const { id } = head();
  const key = `${id}:approved`;
  /** @type {Approved | undefined} */
  let chosen = texts.length === 1 && !instead ? texts[0] : undefined;
  /** @type {Record<string, string>} */
  let values = {};
  let problem = '';
  let busy = false;
  /** Typed, or chosen, before what was kept had been read. */
  let touched = false;

  /** @param {{name: string, language: string, values: Record<string, string>} | undefined} kept */
  const take = (kept) => {
    const known = texts.find((one) => one.name === kept?.name && one.language === kept?.language);
    if (!kept || !known || touched) return;
    chosen = known;
    values = { ...kept.values };
    dialog.update();
  };

  const keep = () => {
    touched = true;
    if (!chosen) return;
    const approved = { name: chosen.name, language: chosen.language, values };
    store.saveDraft(key, { fields: { approved } }).catch(() => {
      problem = t(`bar_storage_${store.status().storage || 'failing'}`);
      dialog.update();
    });
  };

  /** @param {Approved} one */
  const choose = (one) => {
    if (one !== chosen) values = {};
    chosen = one;
    problem = '';
    keep();
    dialog.update();
    /** @type {HTMLElement | null} */ (dialog.element.querySelector('form input, form .primary'))?.focus();
  };

  /** @param {SubmitEvent} event */
  const send = async (event) => {
    event.preventDefault();
    if (busy || !chosen) return;
    const names = blanks(chosen.text);
    const clean = Object.fromEntries(names.map((name) => [name, oneLine(values[name] ?? '')]));
    const text = filled(chosen.text, clean);
    const empty = names.find((name) => !clean[name]);
    const over = [...text].length - MAX_CHARS;
    problem = empty ? t('approved_missing') : over > 0 ? t('chars_over', { n: over }) : '';
    if (problem) {
      dialog.update();
      const at = `[name="b-${empty ?? names[0]}"]`;
      /** @type {HTMLElement | null} */ (dialog.element.querySelector(at))?.focus();
      return;
    }
    busy = true;
    dialog.update();
    const { name, language } = chosen;
    const payload = { text, attachments: [], approved: { name, language, values: clean } };
    try {
      const stored = instead
        ? await store.instead(instead.op_id, { payload, based_on: basedOn() })
        : await enqueue(payload);
      // What it would have replaced is no longer there to be replaced: she looks again.
      if (!stored) context.toast(t('maybe_sent'));
      else {
        await store.saveDraft(key, null).catch(() => undefined);
        if (store.status().connection === 'online') context.announce(t('sent_on'));
        else context.toast(t('queued_reply'));
      }
      dialog.close();
    } catch {
      busy = false;
      problem = t('failed_try');
      dialog.update();
    }
  };

  /** @param {Record<string, any>} payload */
  const enqueue = async (payload) => {
    // Words that she took back to change may be on their way: only one of the two takes effect.
    const { supersedes } = (await store.draft(id))?.fields ?? {};
    return store.enqueue({
      kind: 'reply',
      conversation_id: id,
      based_on: basedOn(),
      payload: supersedes ? { ...payload, supersedes } : payload,
      keep_draft: true,
    });
  };

  /** @param {string} name */
  const label = (name) =>
    /^\d+$/.test(name) ? t('approved_blank', { name }) : name.replaceAll('_', ' ');

  /** With the blanks to be seen. @param {string} text */
  const open = (text) => text.replace(BLANK, (_, name) => `[${label(name)}]`);

  /** @param {Approved} one */
  const form = (one) =>
    html`<form class="form" novalidate @submit=${send}>
      ${problem ? html`<p class="problem" role="alert">${icon('urgent')}${problem}</p>` : nothing}
      ${blanks(one.text).map(
        (name) =>
          html`<label class="field"
            ><span>${label(name)}</span
            ><input
              name="b-${name}"
              autocomplete="off"
              .value=${values[name] ?? ''}
              aria-required="true"
              aria-invalid=${problem && !oneLine(values[name] ?? '') ? 'true' : 'false'}
              @input=${(/** @type {Event} */ event) => {
                values = { ...values, [name]: /** @type {HTMLInputElement} */ (event.target).value };
                keep();
                dialog.update();
              }}
          /></label>`,
      )}
      <section aria-label=${t('approved_preview')}>
        <h3>${t('approved_preview')}</h3>
        <div class="message out"><div class="bubble"><p class="text" dir="auto">${open(filled(one.text, lines()))}</p></div></div>
      </section>
      ${instead && !instead.payload.approved ? html`<p class="hint">${t('approved_instead_help')}</p>` : nothing}
      <div class="buttons">
        ${
          texts.length > 1
            ? html`<button class="button" type="button" @click=${() => ((chosen = undefined), (problem = ''), dialog.update())}>${icon('back')}${t('approved_other')}</button>`
            : nothing
        }
        <button class="button primary" aria-disabled=${busy ? 'true' : 'false'}>${icon('send')}${t('send')}</button>
      </div>
    </form>`;

  const lines = () =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, oneLine(value)]));

  const list = () =>
    html`<p class="hint">${t('approved_help')}</p>
      <ul class="choices">
        ${texts.map((one) => html`<li><button type="button" @click=${() => choose(one)}><strong>${one.name.replaceAll('_', ' ')} (${one.language})</strong><span>${open(one.text)}</span></button></li>`)}
      </ul>`;

  const dialog = showDialog(() => html`<div class="approved">${chosen ? form(chosen) : list()}</div>`, {
    label: t('approved_choose'),
    sheet: true,
    closeLabel: t('close'),
  });
  if (instead?.payload.approved) take(instead.payload.approved);
  else
    store
      .draft(key)
      .then((kept) => take(kept?.fields?.approved))
      .catch(() => undefined);
  return dialog;
}
