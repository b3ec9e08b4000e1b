/**
 * What one person arranges for herself: when she is away, when she does not want to be woken, the rota in her calendar.
 * @module
 */
import { html, nothing } from 'lit-html';
import { uuid7 } from '../../ids.js';
import { standing } from '../../rota.js';
import { confirm } from '../dialogs.js';
import { icon } from '../icons.js';
import { clockOf, instantOf, localMinute, minutesOf } from '../moments.js';
import { field, openForm, said, whyNot, Wrong } from './forms.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('../../oncall-api.js').QuietHours} QuietHours */
/** @typedef {import('../../oncall-api.js').Settings} Settings */
/** @typedef {import('../../rota.js').Absence} Absence */

const DAY_MS = 86_400_000;
const EVENING = 22 * 60;
const MORNING = 7 * 60;
/** A Monday, to name the days of the week by. */
const MONDAY_MS = Date.UTC(2024, 0, 1, 12);

/**
 * @param {Context} context
 * @param {import('../moments.js').Ahead} ahead
 * @param {import('../../oncall-api.js').OncallApi} api
 * @param {() => Promise<unknown>} reload asks the server for the settings again
 */
export function createMine(context, ahead, api, reload) {
  const { store, t, now, toast, language } = context;
  const online = () => store.status().connection === 'online';
  const weekday = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : 'nl-NL', {
    weekday: 'short',
    timeZone: 'UTC',
  });
  const days = [0, 1, 2, 3, 4, 5, 6].map((day) => weekday.format(MONDAY_MS + day * DAY_MS));

  const addAbsence = () => {
    const id = uuid7(now());
    const from = Math.ceil(now() / 3_600_000) * 3_600_000;
    openForm(context, {
      label: t('oncall_away_add'),
      yes: t('save'),
      fields: (wrong) =>
        html`<p class="hint">${t('oncall_away_help')}</p>
          <div class="pair">
            ${field(t('oncall_from'), html`<input name="from" type="datetime-local" .defaultValue=${localMinute(from)} aria-describedby="wrong-from" />`, wrong('from'))}
            ${field(t('oncall_to'), html`<input name="to" type="datetime-local" .defaultValue=${localMinute(from + DAY_MS)} aria-describedby="wrong-to" />`, wrong('to'))}
          </div>`,
      async submit(data) {
        const from_ms = instantOf(said(data.get('from')));
        const to_ms = instantOf(said(data.get('to')));
        if (Number.isNaN(from_ms)) throw new Wrong('from', 'oncall_when_needed');
        if (Number.isNaN(to_ms)) throw new Wrong('to', 'oncall_when_needed');
        if (to_ms <= from_ms) throw new Wrong('to', 'oncall_ends_first');
        await api.addAbsence({ id, person: store.me().id, from_ms, to_ms });
        toast(t('oncall_saved'));
        store.sendNow();
      },
    });
  };

  /** @param {Absence} absence */
  const removeAbsence = async (absence) => {
    try {
      await api.removeAbsence(absence.id);
      toast(t('oncall_removed'));
      store.sendNow();
    } catch (error) {
      toast(whyNot(context, error));
    }
  };

  /** @param {QuietHours | null} hours */
  const editQuiet = (hours) =>
    openForm(context, {
      label: t('oncall_quiet'),
      yes: t('save'),
      fields: (wrong) =>
        html`<p class="hint">${t('oncall_quiet_help')}</p>
          <fieldset class="days">
            <legend>${t('oncall_quiet_days')}</legend>
            ${days.map(
              (name, day) =>
                html`<label class="chip-radio"><input type="checkbox" name="day" value=${day} .defaultChecked=${hours ? hours.weekdays.includes(day) : true} /><span>${name}</span></label>`,
            )}
          </fieldset>
          <div class="pair">
            ${field(t('oncall_from'), html`<input name="from" type="time" .defaultValue=${clockOf(hours?.from_minute ?? EVENING)} aria-describedby="wrong-from" />`, wrong('from'))}
            ${field(t('oncall_to'), html`<input name="to" type="time" .defaultValue=${clockOf(hours?.to_minute ?? MORNING)} aria-describedby="wrong-to" />`, wrong('to'))}
          </div>
          <p class="hint">${t('oncall_quiet_none_help')}</p>`,
      async submit(data) {
        const from_minute = minutesOf(said(data.get('from')));
        const to_minute = minutesOf(said(data.get('to')));
        if (Number.isNaN(from_minute)) throw new Wrong('from', 'oncall_when_needed');
        if (Number.isNaN(to_minute)) throw new Wrong('to', 'oncall_when_needed');
        const weekdays = data.getAll('day').map(Number);
        await api.setQuietHours(store.me().id, { weekdays, from_minute, to_minute });
        toast(t('oncall_saved'));
        await reload();
      },
    });

  const renew = async (/** @type {boolean} */ exists) => {
    if (
      exists &&
      !(await confirm(context, {
        title: t('oncall_calendar_renew_ask'),
        text: t('oncall_calendar_renew_help'),
        yes: t('oncall_calendar_renew'),
      }))
    )
      return;
    try {
      await api.makeCalendar();
      await reload();
    } catch (error) {
      toast(whyNot(context, error));
    }
  };

  /** @param {string} url */
  const copy = async (url) => {
    try {
      await navigator.clipboard.writeText(url);
      toast(t('oncall_calendar_copied'));
    } catch {
      // Not allowed to reach the clipboard: the address stands there to be selected.
      toast(t('oncall_calendar_select'));
    }
  };

  /** @param {QuietHours | null} hours */
  const quietText = (hours) =>
    hours?.weekdays.length
      ? t('oncall_quiet_set', {
          days:
            hours.weekdays.length === 7
              ? t('oncall_every_day')
              : hours.weekdays.map((day) => days[day]).join(', '),
          from: clockOf(hours.from_minute),
          to: clockOf(hours.to_minute),
        })
      : t('oncall_quiet_none');

  return {
    renderAbsences() {
      const me = store.me().id;
      const mine = standing(/** @type {Absence[]} */ (store.refs('absence')))
        .filter(({ person, to_ms }) => person === me && to_ms > now())
        .sort((a, b) => a.from_ms - b.from_ms);
      return html`${
        mine.length
          ? html`<ul class="cards">
            ${mine.map(
              (absence) =>
                html`<li class="card line">
                  <div>${t('oncall_away_span', { from: ahead.moment(absence.from_ms), to: ahead.moment(absence.to_ms, Math.max(absence.from_ms, now())) })}</div>
                  ${online() ? html`<button class="button danger" type="button" @click=${() => removeAbsence(absence)}>${t('oncall_remove')}</button>` : nothing}
                </li>`,
            )}
          </ul>`
          : html`<p class="hint">${t('oncall_away_none')}</p>`
      }
        ${
          online()
            ? html`<div class="buttons"><button class="button" type="button" aria-haspopup="dialog" @click=${addAbsence}>${icon('plus')}${t('oncall_away_add')}</button></div>`
            : nothing
        }`;
    },
    /** @param {Settings | null} settings null: not known without the server */
    renderQuiet(settings) {
      if (!settings) return html`<p class="hint">${t('oncall_settings_offline')}</p>`;
      const hours = settings.me.quiet_hours;
      return html`<p>${quietText(hours)}</p>
        <p class="hint">${t('oncall_quiet_shift')}</p>
        <div class="buttons"><button class="button" type="button" aria-haspopup="dialog" @click=${() => editQuiet(hours)}>${t('change')}</button></div>`;
    },
    /** @param {Settings | null} settings */
    renderCalendar(settings) {
      if (!settings) return html`<p class="hint">${t('oncall_settings_offline')}</p>`;
      const url = settings.me.calendar?.url;
      return html`<p class="hint">${t('oncall_calendar_help')}</p>
        ${
          url
            ? html`<label class="field"><span>${t('oncall_calendar_address')}</span><input readonly .value=${url} @focus=${(/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).select()} /></label>
              <div class="buttons">
                <button class="button" type="button" @click=${() => copy(url)}>${t('oncall_calendar_copy')}</button>
                <button class="button quiet" type="button" @click=${() => renew(true)}>${t('oncall_calendar_renew')}</button>
              </div>`
            : html`<div class="buttons"><button class="button" type="button" @click=${() => renew(false)}>${t('oncall_calendar_make')}</button></div>`
        }`;
    },
  };
}
