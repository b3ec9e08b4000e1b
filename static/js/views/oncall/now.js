/**
 * Who is on call now, team by team, read from the replica; and where nobody is.
 * @module
 */
import { html } from 'lit-html';
import { coverage } from '../../rota.js';
import { icon } from '../icons.js';
import { areaName, nameFirst } from '../names.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('../types.js').Team} Team */

/**
 * @param {Context} context
 * @param {import('../moments.js').Ahead} ahead
 * @param {Team[]} teams
 */
export function renderNow(context, ahead, teams) {
  const { store, t, now } = context;
  /** @param {string} code @returns {string | null} */
  const parentOf = (code) => store.ref('area', code)?.parent ?? null;

  /** @param {import('../../rota.js').Holder} holder */
  const holder = ({ shift, away_until_ms }) => {
    const where = shift.area ? areaName(context, shift.area) : t('oncall_all_areas');
    return html`<li>
      ${icon(away_until_ms ? 'look' : 'take')}
      <div>
        <strong>${nameFirst(context, shift.person)}</strong>
        <p class="hint">${t('oncall_until', { where, time: ahead.moment(shift.to_ms) })}</p>
        ${away_until_ms ? html`<p class="attention">${t('oncall_but_away', { time: ahead.moment(away_until_ms) })}</p>` : ''}
      </div>
    </li>`;
  };

  /** @param {Team} team */
  const card = (team) => {
    const { holders, bare } = coverage(
      team,
      store.refs('shift'),
      store.refs('absence'),
      now(),
      parentOf,
    );
    return html`<li class="card ${bare === 'all' ? 'look' : ''}">
      <h3>${team.name}</h3>
      ${holders.length ? html`<ul class="holders">${holders.map(holder)}</ul>` : ''}
      ${
        bare === 'all'
          ? html`<p class="attention">${icon('look')}<strong>${t('oncall_nobody')}</strong></p><p class="hint">${t('oncall_nobody_help')}</p>`
          : bare.length
            ? html`<p class="attention">${icon('look')}<span>${t('oncall_bare', { areas: bare.map((code) => areaName(context, code)).join(', ') })}</span></p>`
            : ''
      }
    </li>`;
  };

  return html`<ul class="cards">${teams.map(card)}</ul>`;
}
