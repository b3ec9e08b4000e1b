/**
 * The rota day by day, its holes included; adding a turn, handing one over, taking one off. Reading works without a
 * network, changing does not.
 * @module
 */
import { html, nothing } from 'lit-html';
import { uuid7 } from '../../ids.js';
import { byDay, nextShift, turns } from '../../rota.js';
import { confirm, showDialog } from '../dialogs.js';
import { icon } from '../icons.js';
import { instantOf, localMinute } from '../moments.js';
import { areaName, nameFirst, personName } from '../names.js';
import { field, openForm, said, whyNot, Wrong } from './forms.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('../types.js').Team} Team */
/** @typedef {import('../types.js').Person} Person */
/** @typedef {import('../../rota.js').Shift} Shift */
/** @typedef {import('../../rota.js').Turn} Turn */

/** Days shown before "more" is asked for. */
const DAYS = 14;
const MAX_WEEKS = 52;
const MINUTE_MS = 60_000;

/**
 * @param {Context} context
 * @param {import('../moments.js').Ahead} ahead
 * @param {import('../../oncall-api.js').OncallApi} api
 */
export function createRota(context, ahead, api) {
  const { store, t, draw, now, toast } = context;
  let all = false;
  const online = () => store.status().connection === 'online';
  const done = (/** @type {string} */ text) => {
    toast(text);
    // The feed brings what changed; without waiting for its poke.
    store.sendNow();
  };

  /** @param {Team} team @returns {Person[]} */
  const members = (team) =>
    /** @type {Person[]} */ (store.refs('person')).filter(
      // An archivist reads what was said; she is never on call.
      (person) =>
        person.active && person.teams.includes(team.id) && person.role !== 'archivist',
    );

  /** @param {Team} team @param {string} [chosen] */
  const people = (team, chosen) =>
    members(team).map(
      ({ id, name }) =>
        html`<option value=${id} ?selected=${id === chosen}>${name}${id === store.me().id ? ` (${t('you')})` : ''}</option>`,
    );

  /** @param {FormData} data @param {string} name */
  const instant = (data, name) => {
    const ms = instantOf(said(data.get(name)));
    if (Number.isNaN(ms)) throw new Wrong(name, 'oncall_when_needed');
    return ms;
  };

  /** @param {string} name @param {import('../../i18n.js').Key} label @param {number} ms @param {(field: string) => unknown} wrong */
  const when = (name, label, ms, wrong) =>
    field(
      t(label),
      html`<input name=${name} type="datetime-local" .defaultValue=${localMinute(ms)} aria-describedby="wrong-${name}" />`,
      wrong(name),
    );

  /** @param {Team} team @param {{from_ms: number, to_ms: number}} [span] */
  const add = (team, span = nextShift(team.id, store.refs('shift'), now())) => {
    const id = uuid7(now());
    openForm(context, {
      label: t('oncall_add'),
      yes: t('oncall_add_yes'),
      fields: (wrong) =>
        html`${field(t('oncall_person'), html`<select name="person">${people(team, store.me().id)}</select>`)}
          ${field(
            t('oncall_where'),
            html`<select name="area">
              <option value="">${t('oncall_all_areas_of', { team: team.name })}</option>
              ${team.areas.map((code) => html`<option value=${code}>${areaName(context, code)}</option>`)}
            </select>`,
          )}
          <div class="pair">${when('from', 'oncall_from', span.from_ms, wrong)} ${when('to', 'oncall_to', span.to_ms, wrong)}</div>
          ${field(
            t('oncall_repeat'),
            html`<input name="repeat" type="number" inputmode="numeric" min="0" max=${MAX_WEEKS} .defaultValue=${'0'} aria-describedby="wrong-repeat repeat-help" />`,
            html`<p class="hint" id="repeat-help">${t('oncall_repeat_help')}</p>`,
            wrong('repeat'),
          )}`,
      async submit(data) {
        const from_ms = instant(data, 'from');
        const to_ms = instant(data, 'to');
        if (to_ms <= from_ms) throw new Wrong('to', 'oncall_ends_first');
        const weeks = Number(said(data.get('repeat')) || '0');
        if (!Number.isInteger(weeks) || weeks < 0 || weeks > MAX_WEEKS)
          throw new Wrong('repeat', 'oncall_repeat_wrong');
        await api.addShift({
          id,
          team: team.id,
          area: said(data.get('area')) || null,
          person: said(data.get('person')),
          from_ms,
          to_ms,
          repeat_weeks: weeks,
        });
        done(t('oncall_added'));
      },
    });
  };

  /** @param {Team} team @param {Shift} shift */
  const handOver = (team, shift) => {
    const id = uuid7(now());
    const from = Math.max(shift.from_ms, Math.ceil(now() / MINUTE_MS) * MINUTE_MS);
    const others = members(team).filter((person) => person.id !== shift.person);
    openForm(context, {
      label: t('oncall_hand_over'),
      yes: t('oncall_hand_over_yes'),
      fields: (wrong) =>
        html`<p class="hint">${t('oncall_hand_over_help', { name: nameFirst(context, shift.person) })}</p>
          ${field(
            t('oncall_to_whom'),
            html`<select name="person" aria-describedby="wrong-person">
              ${others.map((person) => html`<option value=${person.id}>${person.name}${person.id === store.me().id ? ` (${t('you')})` : ''}</option>`)}
            </select>`,
            wrong('person'),
          )}
          ${when('from', 'oncall_hand_over_from', from, wrong)}`,
      async submit(data) {
        const from_ms = instant(data, 'from');
        if (from_ms >= shift.to_ms) throw new Wrong('from', 'oncall_hand_over_late');
        const person = said(data.get('person'));
        if (!person) throw new Wrong('person', 'oncall_nobody_else');
        await api.handOver(shift.id, { id, person, from_ms: Math.max(from_ms, shift.from_ms) });
        done(
          t('oncall_handed_over', {
            name: personName(context, person),
            time: ahead.moment(from_ms),
          }),
        );
      },
    });
  };

  /** @param {Shift} shift */
  const remove = async (shift) => {
    const yes = await confirm(context, {
      title: t('oncall_remove_ask'),
      text: `${nameFirst(context, shift.person)}, ${span(shift)}`,
      yes: t('oncall_remove'),
      danger: true,
    });
    if (!yes) return;
    try {
      await api.removeShift(shift.id);
      done(t('oncall_removed'));
    } catch (error) {
      toast(whyNot(context, error));
    }
  };

  /** @param {{from_ms: number, to_ms: number}} turn */
  const span = ({ from_ms, to_ms }) =>
    `${ahead.moment(from_ms)} – ${ahead.moment(to_ms, Math.max(from_ms, now()))}`;

  /** @param {Team} team @param {Shift} shift @param {boolean} may_plan */
  const open = (team, shift, may_plan) => {
    const dialog = showDialog(
      () =>
        html`<dl class="facts">
            <div><dt>${t('oncall_when')}</dt><dd>${span(shift)}</dd></div>
            <div><dt>${t('oncall_where')}</dt><dd>${shift.area ? areaName(context, shift.area) : t('oncall_all_areas_of', { team: team.name })}</dd></div>
          </dl>
          ${
            online()
              ? html`<div class="buttons">
                <button class="button primary" type="button" @click=${() => (dialog.close(), handOver(team, shift))}>${icon('take')}${t('oncall_hand_over')}</button>
                ${may_plan ? html`<button class="button danger" type="button" @click=${() => (dialog.close(), void remove(shift))}>${t('oncall_remove')}</button>` : nothing}
              </div>`
              : html`<p class="hint">${t('oncall_change_offline')}</p>`
          }`,
      { label: nameFirst(context, shift.person), sheet: true, closeLabel: t('close') },
    );
  };

  /** Its beginning, when that is today, and its end. @param {Turn} turn */
  const hours = (turn) => {
    const to = ahead.moment(turn.to_ms, Math.max(turn.from_ms, now()));
    return turn.from_ms < now()
      ? t('oncall_till', { time: to })
      : `${ahead.time(turn.from_ms)} – ${to}`;
  };

  /** @param {Team} team @param {Turn} turn @param {boolean} may_plan */
  const row = (team, turn, may_plan) => {
    const { shift } = turn;
    if (!shift) {
      const words = html`<span class="turn-who">${icon('look')}${t('oncall_nobody_short')}</span><span class="turn-when">${hours(turn)}</span>`;
      return html`<li class="hole">
        ${
          may_plan && online()
            ? html`<button class="turn" type="button" aria-haspopup="dialog" @click=${() => add(team, { from_ms: Math.max(turn.from_ms, now()), to_ms: turn.to_ms })}>${words}<span class="turn-more">${t('oncall_fill')}</span></button>`
            : html`<div class="turn">${words}</div>`
        }
      </li>`;
    }
    const mine = shift.person === store.me().id;
    const words = html`<span class="turn-who ${mine ? 'mine' : ''}">${nameFirst(context, shift.person)}</span
      ><span class="turn-when">${hours(turn)}${shift.area ? ` · ${areaName(context, shift.area)}` : ''}</span>`;
    return html`<li>
      ${may_plan || mine ? html`<button class="turn" type="button" aria-haspopup="dialog" @click=${() => open(team, shift, may_plan)}>${words}<span class="turn-more">${icon('more')}</span></button>` : html`<div class="turn">${words}</div>`}
    </li>`;
  };

  return {
    /** @param {Team} team @param {boolean} may_plan */
    render(team, may_plan) {
      const days = byDay(turns(team.id, store.refs('shift'), now()), now(), ahead.sameDay);
      const shown = all ? days : days.slice(0, DAYS);
      return html`${
        shown.length
          ? shown.map(
              ({ day_ms, turns: of }) =>
                html`<h3 class="rota-day">${ahead.day(day_ms)}</h3>
                  <ul class="rota">${of.map((turn) => row(team, turn, may_plan))}</ul>`,
            )
          : html`<p class="hint">${t('oncall_rota_empty')}</p>`
      }
        <div class="buttons">
          ${days.length > shown.length ? html`<button class="button quiet" type="button" @click=${() => ((all = true), draw())}>${t('oncall_more_days')}</button>` : nothing}
          ${
            may_plan && online()
              ? html`<button class="button ${days.length ? '' : 'primary'}" type="button" aria-haspopup="dialog" @click=${() => add(team)}>${icon('plus')}${t('oncall_add')}</button>`
              : nothing
          }
        </div>
        ${may_plan && !online() ? html`<p class="hint">${t('oncall_change_offline')}</p>` : nothing}`;
    },
  };
}
