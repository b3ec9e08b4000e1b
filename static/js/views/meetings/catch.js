/**
 * Catching a question: one field, one button under the thumb. The keyboard stays, the next question can be typed at once;
 * what was typed is a draft on the disk until it is in the outbox.
 * @module
 */
import { html, nothing } from 'lit-html';
import { live } from 'lit-html/directives/live.js';
import { uuid7 } from '../../ids.js';
import { icon } from '../icons.js';

/** @typedef {import('../meetings.js').Desk} Desk */

const SAVE_PAUSE_MS = 250;
const DRAFT = 'question';
const LAST = 3;

/** @param {Desk} desk @param {string} id of the meeting */
export function createCatch(desk, id) {
  const { context, say } = desk;
  const { store, draw, now } = context;
  let text = '';
  /** @type {Record<string, any>} */
  let fields = {};
  /** @type {{id: string, name: string}[]} */
  let photos = [];
  let more = false;
  let problem = '';
  let said = '';
  let busy = false;
  let dirty = false;
  /** When its first letter came: that is when it was asked. */
  let began_ms = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pause;

  const first = store.draft(DRAFT).then((draft) => {
    // A draft of another evening waits for that one.
    if (!draft || (draft.fields?.meeting && draft.fields.meeting !== id)) return;
    const { meeting, began, ...rest } = draft.fields ?? {};
    text = draft.text ?? '';
    began_ms = began ?? 0;
    fields = rest;
    photos = draft.attachments ?? [];
    more = Boolean(rest.name || rest.email || rest.phone || rest.place);
  });

  const flush = () => {
    clearTimeout(pause);
    if (!dirty) return;
    dirty = false;
    store
      .saveDraft(DRAFT, {
        text,
        attachments: photos,
        fields: text || photos.length ? { ...fields, meeting: id, began: began_ms } : {},
      })
      .catch(() => {
        dirty = true;
        problem = say('catch_failed');
        draw();
      });
  };
  const touched = () => {
    dirty = true;
    clearTimeout(pause);
    pause = setTimeout(flush, SAVE_PAUSE_MS);
  };

  /** @param {Event} event */
  const changed = (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const chosen = input.type === 'radio' || input.type === 'checkbox';
    // What is typed was heard as it was typed; that the field is left later is no news.
    if (!input.name || input.type === 'file' || (event.type === 'change' && !chosen)) return;
    if (input.name === 'text') {
      if (!text) began_ms = now();
      text = input.value;
    } else fields[input.name] = input.type === 'checkbox' ? input.checked : input.value;
    if (problem || said || chosen) {
      problem = said = '';
      draw();
    }
    touched();
  };

  /** @param {Event} event */
  const pick = async (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const files = [...(input.files ?? [])];
    input.value = '';
    try {
      for (const file of files) {
        const photo = await store.addPhoto(file);
        photos = [...photos, { id: photo.id, name: photo.name ?? file.name }];
      }
    } catch {
      problem = say('catch_photo_failed');
    }
    touched();
    draw();
  };

  /** @returns {{field: string, word: import('../meetings.js').Word} | null} */
  const lack = () => {
    if (!text.trim()) return { field: 'text', word: 'catch_empty' };
    const named = fields.name?.trim() || fields.email?.trim() || fields.phone?.trim();
    if (named && !fields.keep) return { field: 'keep', word: 'catch_keep_needed' };
    if (
      fields.answer_by === 'email' &&
      !/^[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+$/.test(fields.email?.trim() ?? '')
    )
      return { field: 'email', word: 'catch_answer_needs' };
    if (fields.answer_by === 'phone' && !fields.phone?.trim())
      return { field: 'phone', word: 'catch_answer_needs' };
    return null;
  };

  /** @param {HTMLFormElement} form */
  const keep = async (form) => {
    if (busy) return;
    const lacking = lack();
    if (lacking) {
      problem = say(lacking.word);
      if (lacking.field !== 'text') more = true;
      draw();
      /** @type {HTMLElement | null} */ (form.querySelector(`[name=${lacking.field}]`))?.focus();
      return;
    }
    busy = true;
    clearTimeout(pause);
    const {
      name,
      email,
      phone,
      keep: may,
      answer_by,
      agenda,
      topic,
      place,
      urgent,
      minutes,
      hide,
    } = fields;
    try {
      await desk.keep('question', uuid7(now()), {
        meeting: id,
        text: text.trim(),
        asked_at_ms: began_ms || now(),
        name: name?.trim() ?? '',
        email: email?.trim() ?? '',
        phone: phone?.trim() ?? '',
        keep: Boolean(may),
        answer_by: answer_by ?? 'none',
        agenda: agenda ? Number(agenda) : null,
        topic: topic?.trim() ?? '',
        place: place?.trim() ?? '',
        urgent: Boolean(urgent),
        minutes: Boolean(minutes),
        on_board: !hide,
        attachments: photos.map((photo) => photo.id),
      });
      // The next one is somebody else's; what the hall is talking about stays.
      fields = agenda ? { agenda } : {};
      text = '';
      photos = [];
      began_ms = 0;
      dirty = more = false;
      said = say('catch_saved', {
        n: desk.questions().filter((one) => one.source === 'tablet').length,
      });
      context.announce(said);
    } catch {
      problem = say('catch_failed');
    }
    busy = false;
    draw();
  };

  /** @param {KeyboardEvent} event */
  const typing = (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    const field = /** @type {HTMLTextAreaElement} */ (event.target);
    if (field.form) void keep(field.form);
  };

  /** @param {string} name @param {import('../meetings.js').Word} label @param {string} type @param {string} [mode] */
  const line = (name, label, type, mode) =>
    html`<label class="field"><span>${say(label)}</span><input name=${name} type=${type} inputmode=${mode ?? nothing} autocomplete="off" maxlength="200" .value=${live(fields[name] ?? '')} /></label>`;
  /** @param {string} name @param {unknown} label */
  const tick = (name, label) =>
    html`<label class="check"><input type="checkbox" name=${name} .checked=${live(Boolean(fields[name]))} /><span>${label}</span></label>`;

  const last = () =>
    desk
      .questions()
      .filter((one) => one.source === 'tablet')
      .slice(-LAST)
      .reverse();

  return {
    first,
    flush,
    leave: flush,
    focus: () =>
      /** @type {HTMLElement | null} */ (document.querySelector('.catch textarea'))?.focus(),
    render() {
      const meeting = desk.meeting();
      const agenda = meeting?.agenda ?? [];
      return html`<form class="catch" novalidate aria-label=${say('tab_catch')} @input=${changed} @change=${changed}
        @submit=${(/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          void keep(/** @type {HTMLFormElement} */ (event.target));
        }}>
        ${meeting?.state === 'closed' ? html`<p class="hint">${say('catch_closed')}</p>` : nothing}
        <label class="field main"><span>${say('catch_text')}</span>
          <textarea name="text" rows="3" enterkeyhint="send" aria-describedby="catch-help" aria-invalid=${problem && !text.trim() ? 'true' : nothing} .value=${live(text)} @keydown=${typing}></textarea>
        </label>
        <p class="caught ${problem ? 'problem' : ''}" id="catch-help" role="status">${problem ? html`${icon('urgent')}${problem}` : said ? html`${icon('done')}${said}` : html`<small>${say('catch_text_help')}</small>`}</p>
        ${
          agenda.length
            ? html`<fieldset class="ticks"><legend>${say('catch_agenda')}</legend>
                <label class="chip-radio"><input type="radio" name="agenda" value="" .checked=${live(!fields.agenda)} /><span>${say('catch_agenda_none')}</span></label>
                ${agenda.map((item, i) => html`<label class="chip-radio"><input type="radio" name="agenda" value=${i} .checked=${live(fields.agenda === String(i))} /><span>${item}</span></label>`)}
              </fieldset>`
            : nothing
        }
        <details class="asker" ?open=${more} @toggle=${(/** @type {Event} */ event) => (more = /** @type {HTMLDetailsElement} */ (event.target).open)}>
          <summary>${icon('take')}<span>${say('catch_who')}</span><span class="hint">${fields.name?.trim() || say('catch_who_none')}</span></summary>
          <div class="form">
            ${line('name', 'catch_name', 'text')}
            <div class="pair">${line('email', 'catch_email', 'email', 'email')} ${line('phone', 'catch_phone', 'tel', 'tel')}</div>
            ${tick('keep', say('catch_keep'))}
            <fieldset class="ticks"><legend>${say('catch_answer')}</legend>
              ${/** @type {const} */ (['none', 'email', 'phone']).map((way) => html`<label class="chip-radio"><input type="radio" name="answer_by" value=${way} .checked=${live((fields.answer_by ?? 'none') === way)} /><span>${say(`catch_answer_${way}`)}</span></label>`)}
            </fieldset>
            ${tick('minutes', say('catch_minutes'))}
            <div class="pair">${line('topic', 'catch_topic', 'text')} ${line('place', 'catch_place', 'text')}</div>
            ${tick('hide', say('catch_hide'))}
          </div>
        </details>
        <div class="catch-foot">
          <label class="chip-radio urgent"><input type="checkbox" name="urgent" .checked=${live(Boolean(fields.urgent))} /><span>${icon('urgent')}${say('catch_urgent')}</span></label>
          <label class="button camera">${icon('camera')}<span class=${photos.length ? '' : 'sr'}>${photos.length ? say('catch_photos', { n: photos.length }) : say('catch_photo')}</span><input class="sr" type="file" accept="image/*" capture="environment" @change=${pick} /></label>
          <button class="button primary" aria-disabled=${busy ? 'true' : 'false'} @pointerdown=${(/** @type {Event} */ event) => event.preventDefault()}>${icon('done')}${say('catch_save')}</button>
        </div>
        ${
          last().length && !context.wide()
            ? html`<div class="last"><h2>${say('catch_last')}</h2><ol>${last().map((one) => html`<li>${one.text}</li>`)}</ol></div>`
            : nothing
        }
      </form>`;
    },
  };
}
