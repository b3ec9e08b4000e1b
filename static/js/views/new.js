/**
 * A contact note: something heard in the street, at the desk or by phone becomes a conversation. Works without a network.
 * @module
 */
import { html, nothing } from 'lit-html';
import { uuid7 } from '../ids.js';
import { altsOf } from './counting.js';
import { icon } from './icons.js';
import { localMinute } from './moments.js';
import { choosableAreas } from './names.js';
import { createPhotos } from './photos.js';

/** @typedef {import('./types.js').Context} Context */

const SAVE_PAUSE_MS = 250;
const MAX_CHARS = 20_000;
/** Not as a literal: the build folds line breaks that follow each other. */
const BLANK_LINE = '\n'.repeat(2);
const VIAS = /** @type {const} */ (['street', 'phone', 'desk', 'meeting', 'group']);
const SOURCES = /** @type {const} */ (['whatsapp', 'nextdoor', 'facebook', 'other']);
const KINDS = /** @type {const} */ (['resident', 'professional', 'organisation']);

/**
 * The first thing that is missing, or null. Pure.
 * @param {Record<string, any>} fields
 * @param {string} text
 * @returns {{field: string, key: 'text_needed' | 'area_needed' | 'email_wrong' | 'consent_needed' | 'urgent_reason' | 'source_needed'} | null}
 */
export function missing(fields, text) {
  if (!text.trim()) return { field: 'text', key: 'text_needed' };
  if (fields.via === 'group' && !fields.source) return { field: 'source', key: 'source_needed' };
  if (!fields.area) return { field: 'area', key: 'area_needed' };
  if (fields.email?.trim() && !/^\S+@\S+\.\S+$/.test(fields.email.trim()))
    return { field: 'email', key: 'email_wrong' };
  if ((fields.name?.trim() || fields.phone?.trim() || fields.email?.trim()) && !fields.consent)
    return { field: 'consent', key: 'consent_needed' };
  return null;
}

/** @param {Context} context */
export function createNew(context) {
  const { store, t, draw, now, go } = context;
  /** @type {Record<string, any>} */
  let fields = { via: 'street', kind: 'resident' };
  let text = '';
  /** @type {import('./photos.js').Written[]} */
  let attachments = [];
  let dirty = false;
  let busy = false;
  let ready = false;
  /** @type {{field: string, text: string} | null} */
  let problem = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pause;
  const photos = createPhotos(context);

  const first = store.draft('new').then(async (draft) => {
    if (draft) {
      fields = { ...fields, ...draft.fields };
      text = draft.text ?? '';
      attachments = draft.attachments ?? [];
    }
    const areas = choosableAreas(context);
    if (!fields.area && areas.length === 1) fields.area = areas[0]?.code;
    await takeShared();
    ready = true;
    draw();
  });

  /** What another app shared with this one waits beside the draft; it is added to it, never put in its place. */
  const takeShared = async () => {
    if (location.search.includes('shared=failed')) problem = { field: '', text: t('shared_failed') };
    const shared = await store.draft('shared');
    if (!shared) return;
    text = [text, shared.text].filter(Boolean).join(BLANK_LINE).slice(0, MAX_CHARS);
    fields = { ...fields, via: 'group' };
    for (const file of shared.files ?? []) {
      try {
        const { id, type, name } = await store.addPhoto(file);
        attachments = [...attachments, { id, type: type ?? 'image/jpeg', name: name ?? 'foto.jpg' }];
      } catch {
        problem = { field: '', text: t('photo_failed') };
      }
    }
    // First into the draft, then out of where it waited: a phone that dies in between shows it twice, never not at all.
    await store.saveDraft('new', { text, attachments, based_on: null, updated_ms: now(), fields });
    await store.saveDraft('shared', null);
  };

  const flush = () => {
    clearTimeout(pause);
    if (!dirty) return;
    dirty = false;
    store
      .saveDraft('new', { text, attachments, based_on: null, updated_ms: now(), fields })
      .catch(() => {
        dirty = true;
        problem = { field: '', text: t(`bar_storage_${store.status().storage || 'failing'}`) };
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
    if (input.type === 'file' || !input.name) return;
    if (input.name === 'text') text = input.value;
    else fields[input.name] = input.type === 'checkbox' ? input.checked : input.value;
    if (problem) {
      problem = null;
      draw();
    }
    if (input.name === 'urgent' || input.name === 'via') draw();
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
        attachments = [
          ...attachments,
          { id: photo.id, type: photo.type ?? 'image/jpeg', name: photo.name ?? file.name },
        ];
      }
    } catch {
      problem = { field: '', text: t('photo_failed') };
    }
    touched();
    flush();
    draw();
    // The buttons are under her thumb, and what she picked stands further up.
    requestAnimationFrame(() =>
      requestAnimationFrame(() =>
        document.querySelector(problem ? '.problem' : '.attached li:last-child')?.scrollIntoView({ block: 'center' }),
      ),
    );
  };

  /** @param {SubmitEvent} event */
  const keep = async (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (busy) return;
    const lack = missing(fields, text);
    if (lack) {
      problem = { field: lack.field, text: t(lack.key) };
      draw();
      /** @type {HTMLElement | null} */ (form.querySelector(`[name=${lack.field}]`))?.focus();
      return;
    }
    busy = true;
    clearTimeout(pause);
    const conversation_id = uuid7(now());
    const alts = altsOf(attachments);
    try {
      await store.enqueue({
        kind: 'contact',
        conversation_id,
        based_on: null,
        payload: {
          via: fields.via,
          ...(grouped() ? { source: fields.source, group: fields.group?.trim() ?? '' } : {}),
          name: fields.name?.trim() ?? '',
          kind: fields.kind,
          phone: grouped() ? '' : (fields.phone?.trim() ?? ''),
          email: grouped() ? '' : (fields.email?.trim() ?? ''),
          text: text.trim(),
          area: fields.area,
          place: fields.place?.trim() ?? '',
          urgent: Boolean(fields.urgent),
          attachments: attachments.map(({ id }) => id),
          ...(alts ? { alts } : {}),
          happened_at_ms: fields.happened ? new Date(fields.happened).getTime() : now(),
          consent: Boolean(fields.consent),
          answered: Boolean(fields.answered),
        },
      });
      dirty = false;
      context.toast(t('kept'));
      go(`/c/${conversation_id}`, { replace: true });
    } catch {
      problem = { field: '', text: t('failed_try') };
      busy = false;
      draw();
    }
  };

  const grouped = () => fields.via === 'group';
  /** @param {string} name */
  const wrong = (name) =>
    problem?.field === name
      ? html`<span class="problem" role="alert" id="problem-${name}">${icon('urgent')}${problem.text}</span>`
      : '';
  /** @param {string} name */
  const described = (name) => (problem?.field === name ? `problem-${name}` : nothing);

  /** @param {string} name @param {import('../i18n.js').Key} label @param {string} type @param {string} autocomplete */
  const input = (name, label, type, autocomplete) =>
    html`<label class="field"
      ><span>${t(label)} <small>(${t('optional')})</small></span>
      <input name=${name} type=${type} autocomplete=${autocomplete} .value=${fields[name] ?? ''} aria-describedby=${described(name)} aria-invalid=${problem?.field === name ? 'true' : nothing} />
      ${wrong(name)}
    </label>`;

  return {
    first,
    title: () => t('new'),
    leave: flush,
    render() {
      if (!ready) return html`<section class="page" aria-busy="true"></section>`;
      const areas = choosableAreas(context);
      return html`<section class="page">
        <h1 tabindex="-1">${t('new')}</h1>
        <p class="hint">${t('new_help')}</p>
        <form class="form" novalidate @input=${changed} @change=${changed} @submit=${keep}>
          <fieldset class="vias">
            <legend>${t('via')}</legend>
            ${VIAS.map(
              (via) =>
                html`<label class="chip-radio"><input type="radio" name="via" value=${via} .checked=${fields.via === via} /><span>${t(`via_${via}`)}</span></label>`,
            )}
          </fieldset>
          ${
            grouped()
              ? html`<p class="hint">${t('group_help')}</p>
                <div class="pair">
                  <label class="field"
                    ><span>${t('source')}</span>
                    <select name="source" aria-describedby=${described('source')} aria-invalid=${problem?.field === 'source' ? 'true' : nothing}>
                      <option value="" ?selected=${!fields.source}>${t('choose_source')}</option>
                      ${SOURCES.map((source) => html`<option value=${source} ?selected=${source === fields.source}>${t(`source_${source}`)}</option>`)}
                    </select>
                    ${wrong('source')}
                  </label>
                  ${input('group', 'group_name', 'text', 'off')}
                </div>`
              : ''
          }
          <label class="field"
            ><span>${t('text')}</span>
            <textarea name="text" rows="5" .value=${text} aria-describedby=${described('text')} aria-invalid=${problem?.field === 'text' ? 'true' : nothing}></textarea>
            ${wrong('text')}
          </label>
          ${
            attachments.length
              ? photos.written(attachments, {
                  typed: touched,
                  drop(photo) {
                    attachments = attachments.filter((other) => other !== photo);
                    touched();
                    draw();
                  },
                })
              : ''
          }
          <div class="pair">
            <label class="field"
              ><span>${t('area')}</span>
              <select name="area" aria-describedby=${described('area')} aria-invalid=${problem?.field === 'area' ? 'true' : nothing}>
                <option value="" ?selected=${!fields.area}>${t('choose_area')}</option>
                ${areas.map((area) => html`<option value=${area.code} ?selected=${area.code === fields.area}>${area.name}</option>`)}
              </select>
              ${wrong('area')}
            </label>
            ${input('place', 'place', 'text', 'off')}
          </div>
          <label class="check"><input type="checkbox" name="urgent" .checked=${Boolean(fields.urgent)} />${icon('urgent')}<span>${t('urgent_on')}</span></label>
          <fieldset class="form">
            <legend>${t('who')}</legend>
            <div class="pair">
              ${input('name', 'name', 'text', 'off')}
              <label class="field"
                ><span>${t('kind')}</span>
                <select name="kind">
                  ${KINDS.map((kind) => html`<option value=${kind} ?selected=${fields.kind === kind}>${t(`kind_${kind}`)}</option>`)}
                </select></label
              >
            </div>
            ${grouped() ? '' : html`<div class="pair">${input('phone', 'phone_number', 'tel', 'off')} ${input('email', 'email', 'email', 'off')}</div>`}
            <label class="check"><input type="checkbox" name="consent" .checked=${Boolean(fields.consent)} aria-describedby=${described('consent')} /><span>${t('consent')}</span></label>
            ${wrong('consent')}
          </fieldset>
          <div class="pair">
            <label class="field"
              ><span>${t('happened')}</span>
              <input name="happened" type="datetime-local" .value=${fields.happened ?? localMinute(now())} />
            </label>
          </div>
          <label class="check"><input type="checkbox" name="answered" .checked=${Boolean(fields.answered)} /><span>${t('answered')}</span></label>
          ${problem && !problem.field ? html`<p class="problem" role="alert">${icon('urgent')}${problem.text}</p>` : ''}
          <div class="buttons end">
            <label class="button camera">${icon('camera')}<span class="sr">${t('camera')}</span><input class="sr" type="file" accept="image/*" capture="environment" @change=${pick} /></label>
            <label class="button">${icon('image')}<span class="sr">${t('gallery')}</span><input class="sr" type="file" accept="image/*" multiple @change=${pick} /></label>
            <button class="button primary" ?disabled=${busy}>${icon('done')}${t('keep')}</button>
          </div>
        </form>
      </section>`;
    },
  };
}
