/**
 * The sheets in which a rule, the exceptions and the opening hours are changed. Each hands over a whole new set of rules.
 * @module
 */
import { html, nothing } from 'lit-html';
import { word } from '../../i18n.js';
import { icon } from '../icons.js';
import { clockOf, minutesOf } from '../moments.js';
import { openForm, said, Wrong } from '../oncall/forms.js';
import { createPhrases } from './phrases.js';
import { dayNames, ruleName, ruleSentence } from './sentences.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('../../rules-api.js').Body} Body */
/** @typedef {import('../../rules-api.js').Rule} Rule */

const CHANNELS = ['web', 'email', 'contact'];
const SENDERS = /** @type {const} */ (['resident', 'professional', 'organisation']);
const WHENS = /** @type {const} */ (['always', 'open', 'closed']);
const MAX_HOURS = 1440;

/** @returns {Rule} */
export const newRule = () => ({
  id: `own_${crypto.randomUUID().replaceAll('-', '').slice(0, 12)}`,
  kind: 'words',
  on: true,
  name: '',
  words: [],
  channels: [],
  senders: [],
  when: 'always',
  times: 0,
  minutes: 0,
  open_hours: false,
});

/** A number of minutes as it is asked for: in hours when it is whole ones. @param {number} minutes */
const asked = (minutes) =>
  minutes % 60 === 0 ? { number: minutes / 60, unit: 60 } : { number: minutes, unit: 1 };

/**
 * @param {Context} context
 * @param {Body} body
 * @param {Rule} rule
 * @param {(body: Body) => Promise<unknown>} keep
 */
export function editRule(context, body, rule, keep) {
  const { t } = context;
  const isNew = !body.rules.some(({ id }) => id === rule.id);
  const worded = rule.kind === 'words' || rule.kind === 'every';
  const phrases = createPhrases(context, rule.words, {
    label: 'rules_words_field',
    update: () => dialog.update(),
  });
  const time = asked(rule.minutes);

  /** @param {Rule | null} changed null takes it away */
  const put = (changed) =>
    keep({
      ...body,
      rules:
        isNew && changed
          ? [changed, ...body.rules]
          : body.rules.flatMap((one) => (one.id === rule.id ? (changed ?? []) : one)),
    });

  /** @param {string} name @param {readonly string[]} codes @param {string[]} chosen @param {(code: string) => string} say @param {import('../../i18n.js').Key} legend */
  const choices = (name, codes, chosen, say, legend) =>
    html`<fieldset class="vias">
      <legend>${t(legend)}</legend>
      ${codes.map(
        (code) =>
          html`<label class="chip-radio"><input type="checkbox" name=${name} value=${code} .defaultChecked=${chosen.includes(code)} /><span>${say(code)}</span></label>`,
      )}
    </fieldset>`;

  const span = (/** @type {(field: string) => unknown} */ wrong) =>
    html`<div class="pair">
      <label class="field"><span>${t('rules_within')}</span><input name="number" type="number" inputmode="numeric" min="1" max=${MAX_HOURS} .defaultValue=${String(time.number)} aria-describedby="wrong-number" />${wrong('number')}</label>
      <label class="field"><span>${t('rules_unit')}</span><select name="unit">
        <option value="1" ?selected=${time.unit === 1}>${t('rules_minutes')}</option>
        <option value="60" ?selected=${time.unit === 60}>${t('rules_hours')}</option>
      </select></label>
    </div>`;

  /** @param {(field: string) => unknown} wrong */
  const fields = (wrong) => html`
    ${worded ? html`<label class="field"><span>${t('rules_name_field')}</span><input name="name" maxlength="60" autocomplete="off" .defaultValue=${isNew ? '' : ruleName(context, rule)} /></label>` : html`<p class="sentence">${ruleSentence(context, rule)}</p>`}
    ${worded ? phrases.render(wrong('word')) : nothing}
    ${
      rule.kind === 'repeated'
        ? html`<label class="field"><span>${t('rules_times')}</span><input name="times" type="number" inputmode="numeric" min="2" max="100" .defaultValue=${String(rule.times)} aria-describedby="wrong-times" />${wrong('times')}</label>`
        : nothing
    }
    ${rule.kind === 'repeated' || rule.kind === 'no_reaction' ? span(wrong) : nothing}
    ${rule.kind === 'no_reaction' ? html`<label class="check"><input type="checkbox" name="open_hours" .defaultChecked=${rule.open_hours} /><span>${t('rules_count_open')}</span></label>` : nothing}
    ${rule.kind === 'ticked' ? nothing : choices('sender', SENDERS, rule.senders, (code) => word(t, 'kind', code), 'rules_from')}
    ${rule.kind === 'ticked' ? nothing : choices('channel', CHANNELS, rule.channels, (code) => word(t, 'channel', code), 'rules_by')}
    ${rule.kind === 'ticked' ? nothing : html`<p class="hint">${t('rules_none_is_all')}</p>`}
    <fieldset class="vias">
      <legend>${t('rules_when')}</legend>
      ${WHENS.map((when) => html`<label class="chip-radio"><input type="radio" name="when" value=${when} .defaultChecked=${rule.when === when} /><span>${t(`rules_at_${when}`)}</span></label>`)}
    </fieldset>
    ${
      worded && !isNew
        ? html`<div class="buttons"><button class="button danger" type="button" @click=${() => {
            dialog.close();
            void put(null);
          }}>${t('rules_remove')}</button></div>`
        : nothing
    }`;

  const dialog = openForm(context, {
    label: isNew ? t('rules_new') : ruleName(context, rule),
    yes: t('save'),
    fields,
    async submit(data) {
      const words = worded ? phrases.all() : [];
      const name = said(data.get('name'));
      /** @type {Rule} */
      const changed = {
        ...rule,
        name: !worded || name === ruleName(context, { ...rule, name: '' }) ? '' : name,
        words,
        channels: data.getAll('channel').map(String),
        senders: data.getAll('sender').map(String),
        when: /** @type {Rule['when']} */ (said(data.get('when')) || 'always'),
      };
      if (worded) {
        changed.kind = words.length ? 'words' : 'every';
        const narrowed =
          changed.channels.length || changed.senders.length || changed.when !== 'always';
        if (!words.length && !narrowed) throw new Wrong('word', 'rules_too_wide');
      }
      if (rule.kind === 'repeated') {
        changed.times = Number(said(data.get('times')));
        if (!(Number.isInteger(changed.times) && changed.times >= 2 && changed.times <= 100))
          throw new Wrong('times', 'rules_times_wrong');
      }
      if (rule.kind === 'repeated' || rule.kind === 'no_reaction') {
        changed.minutes = Number(said(data.get('number'))) * Number(said(data.get('unit')));
        const least = rule.kind === 'no_reaction' ? 5 : 1;
        if (!(
          Number.isInteger(changed.minutes) &&
          changed.minutes >= least &&
          changed.minutes <= MAX_HOURS * 60
        ))
          throw new Wrong('number', 'rules_number_wrong');
        changed.open_hours = data.get('open_hours') !== null;
      }
      await put(changed);
    },
  });
  return dialog;
}

/**
 * @param {Context} context
 * @param {Body} body
 * @param {(body: Body) => Promise<unknown>} keep
 */
export function editNever(context, body, keep) {
  const phrases = createPhrases(context, body.never, {
    label: 'rules_never_field',
    update: () => dialog.update(),
  });
  const dialog = openForm(context, {
    label: context.t('rules_never'),
    yes: context.t('save'),
    fields: (wrong) =>
      html`<p class="hint">${context.t('rules_never_help')}</p>${phrases.render(wrong('word'))}`,
    submit: () => keep({ ...body, never: phrases.all() }),
  });
  return dialog;
}

/**
 * @param {Context} context
 * @param {Body} body
 * @param {(body: Body) => Promise<unknown>} keep
 */
export function editHours(context, body, keep) {
  const { t } = context;
  const names = dayNames(context);
  const short = dayNames(context, 'short');
  let closed = [...body.hours.closed];
  const open = body.hours.week.map(Boolean);
  let day = '';
  const addDay = () => {
    if (!day || closed.includes(day)) return;
    closed = [...closed, day].sort();
    day = '';
    dialog.update();
  };
  const date = new Intl.DateTimeFormat(context.language === 'en' ? 'en-GB' : 'nl-NL', {
    dateStyle: 'medium',
    timeZone: 'UTC',
  });
  /** @param {string} iso */
  const told = (iso) => date.format(Date.parse(iso));

  const dialog = openForm(context, {
    label: t('rules_opening'),
    yes: t('save'),
    fields: (wrong) => html`
      ${names.map((name, index) => {
        const span = body.hours.week[index];
        return html`<div class="opening" role="group" aria-label=${name}>
          <label class="check"><input type="checkbox" name="open" value=${index} .checked=${open[index] ?? false} @change=${(
            /** @type {Event} */ event,
          ) => {
            open[index] = /** @type {HTMLInputElement} */ (event.target).checked;
            dialog.update();
          }} /><span>${short[index]}</span></label>
          ${
            open[index]
              ? html`<span class="times">
                <input name="from-${index}" type="time" aria-label=${t('rules_opens', { day: name })} .defaultValue=${clockOf(span?.[0] ?? 540)} />
                <span aria-hidden="true">–</span>
                <input name="to-${index}" type="time" aria-label=${t('rules_closes', { day: name })} .defaultValue=${clockOf(span?.[1] ?? 1020)} />
              </span>`
              : html`<span class="hint times">${t('rules_closed')}</span>`
          }
          ${wrong(`to-${index}`)}
        </div>`;
      })}
      <div class="phrases">
        <label class="field"><span>${t('rules_closed_days')}</span
          ><span class="add"><input name="day" type="date" .value=${day} @input=${(/** @type {Event} */ event) => (day = /** @type {HTMLInputElement} */ (event.target).value)} /><button class="button" type="button" @click=${addDay}>${t('rules_word_add')}</button></span></label>
        ${
          closed.length
            ? html`<ul class="chips wrap" aria-label=${t('rules_closed_days')}>
              ${closed.map(
                (one) =>
                  html`<li><button class="chip" type="button" aria-label=${t('rules_word_remove', { word: told(one) })} @click=${() => {
                    closed = closed.filter((other) => other !== one);
                    dialog.update();
                  }}><span>${told(one)}</span>${icon('close')}</button></li>`,
              )}
            </ul>`
            : html`<p class="hint">${t('rules_closed_help')}</p>`
        }
      </div>`,
    async submit(data) {
      const days = data.getAll('open').map(Number);
      const week = names.map((_, index) => {
        if (!days.includes(index)) return null;
        const from = minutesOf(said(data.get(`from-${index}`)));
        // Midnight as an end is the end of that day.
        const to = minutesOf(said(data.get(`to-${index}`))) || 1440;
        if (!(from >= 0 && from < to)) throw new Wrong(`to-${index}`, 'rules_hours_wrong');
        return /** @type {[number, number]} */ ([from, to]);
      });
      if (day && !closed.includes(day)) closed = [...closed, day].sort();
      await keep({ ...body, hours: { week, closed } });
    },
  });
  return dialog;
}
