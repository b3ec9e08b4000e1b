/**
 * The form of an account, drawn from the fields that its kind asks for.
 * @module
 */
import { html, nothing } from 'lit-html';
import { icon } from '../icons.js';
import { inWords, whatWentWrong } from './words.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('./words.js').Say} Say */
/** @typedef {import('../../channels-api.js').Kind} Kind */
/** @typedef {import('../../channels-api.js').Field} Field */
/** @typedef {import('../../channels-api.js').Typed} Typed */
/** @typedef {import('../../channels-api.js').Told} Told */
/** @typedef {{text: string, technical: string, fields: Map<string, string>}} Problem */

/**
 * @param {Context} context
 * @param {Say} say
 * @param {object} about
 * @param {Kind} about.kind
 * @param {Told} [about.account]  what is there already
 * @param {string} about.yes
 * @param {(typed: Typed) => Promise<unknown>} about.submit  raises NoAnswer
 * @param {() => void} about.changed  something must be drawn
 */
export function createForm(context, say, { kind, account, yes, submit, changed }) {
  const { store, language } = context;
  // What this account has nothing to do with: a mailbox that signs in with a token has no password.
  const asks = kind.fields.filter(({ name }) => !account?.not_asked?.includes(name));
  /** @type {Problem | null} */
  let problem = null;
  let busy = false;

  /** @param {SubmitEvent} event */
  const send = async (event) => {
    event.preventDefault();
    if (busy) return;
    const form = /** @type {HTMLFormElement} */ (event.target);
    const typed = read(kind, new FormData(form));
    busy = true;
    problem = null;
    changed();
    try {
      await submit(typed);
      busy = false;
    } catch (error) {
      busy = false;
      problem = whatWentWrong(say, error);
      changed();
      const first = kind.fields.find(({ name }) => problem?.fields.has(name));
      const at = first ? `[name="v-${first.name}"]` : '.form-problem';
      /** @type {HTMLElement | null} */ (form.querySelector(at))?.focus();
    }
  };

  /** @param {string} name @param {string} label @param {unknown} control @param {string} [help] */
  const row = (name, label, control, help = '') => {
    const wrong = problem?.fields.get(name);
    return html`<div>
      <label class="field"><span>${label}</span>${control}</label>
      ${help ? html`<p class="hint" id="help-${name}">${help}</p>` : nothing}
      ${wrong ? html`<p class="problem" id="wrong-${name}">${icon('urgent')}${wrong}</p>` : nothing}
    </div>`;
  };

  /** @param {Field} field */
  const asked = (field) => {
    const { name, required, choices } = field;
    const label = `${inWords(language, field.label)}${required ? '' : ` (${say('optional')})`}`;
    const help = [
      // Where there is help with a list, it says this itself.
      inWords(language, field.help) || (field.kind === 'lines' ? say('lines_help') : ''),
      field.kind === 'secret' && account ? say('keep_secret') : '',
    ]
      .filter(Boolean)
      .join(' ');
    const value = account?.values[name] ?? '';
    const described = `help-${name} wrong-${name}`;
    const invalid = problem?.fields.has(name) ? 'true' : 'false';
    const input = `v-${name}`;
    if (field.kind === 'choice')
      return row(
        name,
        label,
        html`<select name=${input} aria-describedby=${described} aria-invalid=${invalid}>
          ${required ? nothing : html`<option value="">${say('choose_one')}</option>`}
          ${choices.map((one) => html`<option value=${one.value} ?selected=${one.value === value}>${inWords(language, one.label)}</option>`)}
        </select>`,
        help,
      );
    if (field.kind === 'lines')
      return row(
        name,
        label,
        html`<textarea name=${input} rows="4" autocapitalize="none" aria-describedby=${described} aria-invalid=${invalid}>${Array.isArray(value) ? value.join('\n') : value}</textarea>`,
        help,
      );
    const type = { secret: 'password', url: 'url', number: 'text', text: 'text' }[field.kind];
    return row(
      name,
      label,
      html`<input
        name=${input}
        type=${type}
        inputmode=${field.kind === 'number' ? 'numeric' : field.kind === 'url' ? 'url' : 'text'}
        autocomplete=${field.kind === 'secret' ? 'new-password' : 'off'}
        autocapitalize="none"
        spellcheck="false"
        .value=${String(value)}
        aria-describedby=${described}
        aria-invalid=${invalid}
        aria-required=${required && !(account && field.kind === 'secret') ? 'true' : 'false'}
      />`,
      help,
    );
  };

  /** @type {import('../types.js').Team[]} */
  const teams = store.refs('team').sort((a, b) => a.name.localeCompare(b.name));
  /** @type {import('../types.js').Area[]} */
  const areas = store.refs('area').sort((a, b) => a.name.localeCompare(b.name));
  const mine = store.ref('person', store.me().id)?.teams?.[0];

  return {
    render: () =>
      html`<form class="form" novalidate aria-busy=${busy ? 'true' : 'false'} @submit=${send}>
        ${problem ? html`<div class="problem form-problem" role="alert" tabindex="-1">${icon('urgent')}<div><p>${problem.text}</p>${problem.technical ? html`<p class="hint">${problem.technical}</p>` : nothing}</div></div>` : nothing}
        ${asks.map(asked)}
        ${row(
          'name',
          say('name'),
          html`<input name="name" maxlength="100" .value=${account?.name ?? inWords(language, kind.title)} autocomplete="off" />`,
        )}
        ${row(
          'team',
          say(kind.answers ? 'team' : 'team_reads'),
          html`<select name="team">
            ${teams.map((one) => html`<option value=${one.id} ?selected=${one.id === (account?.team ?? mine)}>${one.name}</option>`)}
          </select>`,
        )}
        ${row(
          'area',
          say('area'),
          html`<select name="area">
            <option value="">${say('area_none')}</option>
            ${areas.map((one) => html`<option value=${one.code} ?selected=${one.code === account?.area}>${one.name}</option>`)}
          </select>`,
        )}
        ${busy ? html`<p class="hint" role="status">${say('trying')}</p>` : nothing}
        <div class="buttons">
          <button class="button primary" aria-disabled=${busy ? 'true' : 'false'}>${yes}</button>
        </div>
      </form>`,
  };
}

/**
 * What stands in the form; a field that is not drawn is left out. Pure.
 * @param {{fields: {name: string}[]}} kind
 * @param {FormData} data
 * @returns {Typed}
 */
export function read(kind, data) {
  /** @type {Record<string, any>} */
  const values = {};
  for (const { name } of kind.fields) {
    const typed = data.get(`v-${name}`);
    if (typeof typed === 'string') values[name] = typed;
  }
  const text = (/** @type {string} */ name) => String(data.get(name) ?? '').trim();
  return { name: text('name'), team: text('team'), area: text('area') || null, values };
}
