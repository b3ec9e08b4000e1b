/**
 * Adding a channel in three steps: which, with what, and does it work.
 * @module
 */
import { html, nothing } from 'lit-html';
import { showDialog } from '../dialogs.js';
import { channelIcon, icon } from '../icons.js';
import { createForm } from './form.js';
import { hookAddress } from './hook.js';
import { createTrial } from './trial.js';
import { inWords } from './words.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('./words.js').Say} Say */
/** @typedef {import('../../channels-api.js').Kind} Kind */
/** @typedef {import('../../channels-api.js').Told} Told */

/**
 * Whether she typed a key of her own, and so needs no consent on the platform's page. Pure.
 * @param {{fields: {name: string, kind: string, required: boolean}[]}} kind
 * @param {Pick<import('../../channels-api.js').Typed, 'values'>} typed
 */
export const bringsKey = ({ fields }, { values }) =>
  fields.some((field) => field.kind === 'secret' && !field.required && values[field.name]);

/**
 * @param {Context} context
 * @param {Say} say
 * @param {import('../../channels-api.js').ChannelsApi} api
 * @param {Kind[]} kinds
 * @param {Told} [added]  one that was just connected on the platform's own page: only the last step
 */
export function openAdd(context, say, api, kinds, added) {
  const { language, t } = context;
  /** @type {Kind | null} */
  let kind = null;
  /** @type {ReturnType<typeof createForm> | null} */
  let form = null;
  /** @type {ReturnType<typeof createTrial> | null} */
  let trial = null;
  let made = added;

  const draw = () => dialog.update();
  const close = () => dialog.close();
  const top = () => {
    draw();
    // The next step begins where reading begins.
    const heading = /** @type {HTMLElement | null} */ (dialog.element.querySelector('h3'));
    dialog.element.scrollTo(0, 0);
    heading?.focus({ preventScroll: true });
  };

  /** @param {Kind} one */
  const choose = (one) => {
    kind = one;
    const title = inWords(language, one.title);
    form = createForm(context, say, {
      kind: one,
      yes: one.sign_in ? say('to_platform', { kind: title }) : say('try_and_keep'),
      changed: draw,
      submit: async (typed) => {
        if (one.sign_in && !bringsKey(one, typed)) {
          const { page } = await api.signIn(one.kind, typed);
          return location.assign(page);
        }
        made = await api.add(one.kind, typed);
        trial = createTrial(context, say, api, made.id, null, draw, close);
        top();
      },
    });
    top();
  };

  /** @param {number} n @param {string} title */
  const head = (n, title) =>
    html`<p class="hint">${say('step', { n })}</p><h3 tabindex="-1">${title}</h3>`;

  const first = () =>
    html`${head(1, say('add_choose'))}
      <ul class="choices">
        ${kinds.map(
          (one) =>
            html`<li><button type="button" @click=${() => choose(one)}>
              <strong>${channelIcon(one.kind)} ${inWords(language, one.title)}</strong>
              ${one.answers && !one.public ? nothing : html`<span>${say(one.answers ? 'add_public' : 'add_reads')}</span>`}
            </button></li>`,
        )}
      </ul>`;

  const second = () =>
    html`${head(2, inWords(language, kind?.title ?? []))}
      <p>${inWords(language, kind?.intro ?? [])}</p>
      ${kind?.sign_in ? html`<p class="hint">${say('to_platform_help')}</p>` : nothing}
      ${form?.render()}
      <div class="buttons"><button class="button quiet" type="button" @click=${() => ((kind = form = null), top())}>${icon('back')}${say('back')}</button></div>`;

  /** @param {Told} one */
  const third = (one) =>
    html`${head(3, say('added', { name: one.name }))}
      <p class="good">${icon('done')}<span>${say('let_in')}</span></p>
      ${one.hook_url ? hookAddress(context, say, one.hook_url) : nothing} ${trial?.render()}
      <div class="buttons"><button class="button primary" type="button" @click=${() => dialog.close()}>${say('done')}</button></div>`;

  const dialog = showDialog(() => (made ? third(made) : kind ? second() : first()), {
    label: say('add'),
    sheet: true,
    closeLabel: t('close'),
  });
  if (made) {
    trial = createTrial(context, say, api, made.id, made.test, draw, close);
    draw();
  }
  void dialog.closed.then(() => trial?.leave());
  return dialog;
}
