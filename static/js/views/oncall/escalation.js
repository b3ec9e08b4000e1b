/**
 * What a team does when nobody reacts, for who manages it; and whether the team's phones can be woken, for who leads it.
 * @module
 */
import { html } from 'lit-html';
import { nameFirst } from '../names.js';
import { field, openForm, said, Wrong } from './forms.js';
import { reachTag } from './preview.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('../types.js').Person} Person */
/** @typedef {import('../../oncall-api.js').TeamSettings} TeamSettings */
/** @typedef {import('../../oncall-api.js').Health} Health */

const MAX_MINUTES = 60;
const EMAIL = /^\S+@\S+\.\S+$/;
const NUMBER = /^\+[1-9]\d{6,14}$/;

/**
 * A number as the gateway wants it (E.164); one written the Dutch way is taken to be Dutch.
 * @param {string} typed
 */
export const international = (typed) =>
  typed
    .replace(/[\s().-]/g, '')
    .replace(/^00/, '+')
    .replace(/^0/, '+31');

/**
 * @param {Context} context
 * @param {import('../../oncall-api.js').OncallApi} api
 * @param {() => Promise<unknown>} reload
 */
export function createEscalation(context, api, reload) {
  const { store, t, toast } = context;

  /** @param {TeamSettings} team */
  const edit = ({ id, name, escalation }) => {
    const people = /** @type {Person[]} */ (store.refs('person')).filter(
      (person) => person.active && person.teams.includes(id) && person.role !== 'archivist',
    );
    openForm(context, {
      label: t('oncall_escalation_of', { team: name }),
      yes: t('save'),
      fields: (wrong) => {
        /** @param {string} name @param {import('../../i18n.js').Key} label @param {string} type @param {string} value */
        const optional = (name, label, type, value) =>
          field(
            html`${t(label)} <small>(${t('optional')})</small>`,
            html`<input name=${name} type=${type} autocomplete="off" .defaultValue=${value} aria-describedby="wrong-${name}" />`,
            wrong(name),
          );
        return html`${field(
            t('oncall_step_minutes'),
            html`<input name="step" type="number" inputmode="numeric" min="1" max=${MAX_MINUTES} .defaultValue=${String(escalation?.step_minutes ?? 5)} aria-describedby="wrong-step" />`,
            wrong('step'),
          )}
          ${field(
            t('oncall_lead'),
            html`<select name="lead">
              <option value="">${t('nobody')}</option>
              ${people.map((person) => html`<option value=${person.id} ?selected=${person.id === escalation?.lead}>${person.name}</option>`)}
            </select>`,
          )}
          ${optional('email', 'oncall_email', 'email', escalation?.email ?? '')} ${optional('sms', 'oncall_sms', 'tel', escalation?.sms ?? '')}
          ${optional('contact_centre_email', 'oncall_contact_centre', 'email', escalation?.contact_centre_email ?? '')}`;
      },
      async submit(data) {
        const step_minutes = Number(said(data.get('step')));
        if (!Number.isInteger(step_minutes) || step_minutes < 1 || step_minutes > MAX_MINUTES)
          throw new Wrong('step', 'oncall_step_wrong');
        const address = (/** @type {string} */ name) => {
          const value = said(data.get(name)) || null;
          if (value && !EMAIL.test(value)) throw new Wrong(name, 'oncall_email_wrong');
          return value;
        };
        const sms = international(said(data.get('sms'))) || null;
        if (sms && !NUMBER.test(sms)) throw new Wrong('sms', 'oncall_sms_wrong');
        await api.setEscalation(id, {
          step_minutes,
          lead: said(data.get('lead')) || null,
          email: address('email'),
          sms,
          contact_centre_email: address('contact_centre_email'),
        });
        toast(t('oncall_saved'));
        await reload();
      },
    });
  };

  /** @param {import('../../i18n.js').Key} label @param {unknown} value */
  const fact = (label, value) => html`<div><dt>${t(label)}</dt><dd>${value}</dd></div>`;

  return {
    /** @param {TeamSettings} team */
    render(team) {
      const { escalation } = team;
      return html`<p class="hint">${t('oncall_escalation_help')}</p>
        <dl class="facts">
          ${fact('oncall_step_minutes', escalation?.step_minutes ?? 5)}
          ${fact('oncall_lead', nameFirst(context, escalation?.lead))}
          ${fact('oncall_email', escalation?.email ?? t('oncall_not_set'))}
          ${fact('oncall_sms', escalation?.sms ?? t('oncall_not_set'))}
          ${fact('oncall_contact_centre', escalation?.contact_centre_email ?? t('oncall_not_set'))}
        </dl>
        ${
          team.may_set
            ? html`<div class="buttons"><button class="button" type="button" aria-haspopup="dialog" aria-label="${t('change')}: ${t('oncall_escalation_of', { team: team.name })}" @click=${() => edit(team)}>${t('change')}</button></div>`
            : html`<p class="hint">${t('oncall_escalation_who')}</p>`
        }`;
    },
    /** @param {NonNullable<Health['team']>} team */
    renderReach: (team) =>
      html`<p class="hint">${t('oncall_reach_help')}</p>
        <ul class="facts">
          ${team.map(({ name, reach }) => html`<li><span>${name}</span>${reachTag(context, reach)}</li>`)}
        </ul>`,
  };
}
