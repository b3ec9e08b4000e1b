/**
 * What is known of an evening before it begins, on a sheet.
 * @module
 */
import { html, nothing } from 'lit-html';
import { uuid7 } from '../../ids.js';
import { instantOf, localMinute } from '../moments.js';
import { choosableAreas } from '../names.js';
import { Lacks, openSheet, typed } from './forms.js';

/** @typedef {import('../meetings.js').Desk} Desk */
/** @typedef {import('../../meetings/model.js').Meeting} Meeting */

const LANGUAGES = {
  nl: 'Nederlands',
  en: 'English',
  ar: 'العربية',
  uk: 'Українська',
  tr: 'Türkçe',
};
const EVENING_MS = 19.5 * 3_600_000;

/** @param {Desk} desk @param {Meeting} [meeting] the one that is changed */
export function openPlan(desk, meeting) {
  const { context, say } = desk;
  const { store, now } = context;
  const id = meeting?.id ?? uuid7(now());
  const areas = choosableAreas(context);
  const midnight = new Date(now() + 7 * 86_400_000).setHours(0, 0, 0, 0);
  const hosts = new Set(meeting?.hosts.map((host) => host.id) ?? [store.me().id]);
  const spoken = new Set(meeting?.languages ?? ['nl']);
  const mine = new Set(store.ref('person', store.me().id)?.teams ?? []);
  const colleagues = /** @type {import('../types.js').Person[]} */ (store.refs('person')).filter(
    (one) => one.active && (hosts.has(one.id) || one.teams.some((team) => mine.has(team))),
  );

  openSheet(desk, {
    label: meeting ? say('edit') : say('add'),
    yes: say('form_save'),
    fields: () =>
      html`<label class="field"><span>${say('form_title')}</span><input name="title" maxlength="200" .defaultValue=${meeting?.title ?? ''} /></label>
        ${
          meeting
            ? nothing
            : html`<label class="field"><span>${say('form_area')}</span><select name="area">
                ${areas.length === 1 ? nothing : html`<option value="">${say('form_area_choose')}</option>`}
                ${areas.map(({ code, name }) => html`<option value=${code}>${name}</option>`)}
              </select></label>`
        }
        <label class="field"><span>${say('form_place')}</span><input name="place" maxlength="200" autocomplete="off" .defaultValue=${meeting?.place ?? ''} /></label>
        <label class="field"><span>${say('form_starts')}</span><input name="starts" type="datetime-local" .defaultValue=${localMinute(meeting?.starts_ms ?? midnight + EVENING_MS)} /></label>
        <label class="field"><span>${say('form_agenda')}</span><textarea name="agenda" rows="4" .defaultValue=${(meeting?.agenda ?? []).join('\n')}></textarea></label>
        <fieldset class="ticks"><legend>${say('form_hosts')}</legend>
          ${colleagues.map((one) => html`<label class="chip-radio"><input type="checkbox" name="host" value=${one.id} .defaultChecked=${hosts.has(one.id)} /><span>${one.name}</span></label>`)}
        </fieldset>
        <fieldset class="ticks"><legend>${say('form_languages')}</legend>
          ${Object.entries(LANGUAGES).map(([code, name]) => html`<label class="chip-radio"><input type="checkbox" name="language" value=${code} .defaultChecked=${spoken.has(code)} /><span lang=${code}>${name}</span></label>`)}
        </fieldset>`,
    async submit(data) {
      const title = typed(data.get('title'));
      const area = meeting?.area ?? typed(data.get('area'));
      const starts_at_ms = instantOf(typed(data.get('starts')));
      if (!title) throw new Lacks('title', 'needs_title');
      if (!area) throw new Lacks('area', 'needs_area');
      if (Number.isNaN(starts_at_ms)) throw new Lacks('starts', 'needs_starts');
      const agenda = typed(data.get('agenda'))
        .split('\n')
        .map((line) => line.trim().slice(0, 200))
        .filter(Boolean)
        .slice(0, 30);
      await desk.keep('meeting', id, {
        meeting: id,
        title,
        area,
        place: typed(data.get('place')),
        starts_at_ms,
        agenda,
        hosts: data.getAll('host').slice(0, 20),
        languages: data.getAll('language'),
      });
      if (!meeting) context.go(`/meetings/${id}`);
    },
  });
}
