/**
 * The draft tried out on what came in before: what becomes urgent and what no longer; from here it goes live.
 * @module
 */
import { html, nothing } from 'lit-html';
import { whyNot } from '../oncall/forms.js';
import { showDialog } from '../dialogs.js';
import { icon } from '../icons.js';
import { fullReason } from '../verdict.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('../../rules-api.js').Trial} Trial */
/** @typedef {import('../../rules-api.js').Example} Example */

/**
 * @param {Context} context
 * @param {Promise<Trial>} trying
 * @param {(() => Promise<unknown>) | null} goLive null: there is nothing to make live
 */
export function openTrial(context, trying, goLive) {
  const { t, clocks, language } = context;
  const number = new Intl.NumberFormat(language === 'en' ? 'en-GB' : 'nl-NL');
  /** @type {Trial | null} */
  let trial = null;
  /** @type {string | null} */
  let problem = null;
  let busy = false;

  /** @param {Example} example @param {'before' | 'after'} side */
  const card = (example, side) =>
    html`<li class="card">
      <a href="/c/${example.conversation}" @click=${() => dialog.close()}>
        <p class="example-head"><strong>${example.name || t('unknown_name')}</strong> <time>${clocks.short(example.at_ms)}</time></p>
        <p class="example-text">${example.text}</p>
      </a>
      <p class="hint sentence">${fullReason(context, example[side])}</p>
    </li>`;

  /** @param {import('../../i18n.js').Key} label @param {number} n @param {Example[]} examples @param {'before' | 'after'} side */
  const changes = (label, n, examples, side) =>
    n
      ? html`<h3>${t(label, { n, number: number.format(n) })}</h3>
          <ul class="cards">${examples.map((example) => card(example, side))}</ul>
          ${n > examples.length ? html`<p class="hint">${t('rules_trial_newest', { n: examples.length })}</p>` : nothing}`
      : nothing;

  /** @param {Trial} found */
  const outcome = (found) => {
    const { before, after } = found.silent;
    const same = !found.more && !found.fewer && before === after;
    return html`
      <p>${
        found.messages
          ? t('rules_trial_over', {
              n: found.messages,
              number: number.format(found.messages),
              since: found.since_ms ? clocks.moment(found.since_ms) : '',
            })
          : t('rules_trial_none')
      }</p>
      <dl class="trial">
        <div><dt>${t('rules_trial_before')}</dt><dd>${number.format(found.before)}</dd></div>
        <div><dt>${t('rules_trial_after')}</dt><dd>${number.format(found.after)}</dd></div>
      </dl>
      ${same ? html`<p>${t('rules_trial_same')}</p>` : nothing}
      ${after ? html`<p class="attention">${icon('urgent')}<span>${t('rules_trial_silent', { n: after, number: number.format(after) })}</span></p>` : nothing}
      ${changes('rules_trial_more', found.more, found.examples.more, 'after')}
      ${changes('rules_trial_fewer', found.fewer, found.examples.fewer, 'before')}`;
  };

  const live = async () => {
    if (busy || !goLive) return;
    busy = true;
    dialog.update();
    await goLive();
    dialog.close();
  };

  const dialog = showDialog(
    () =>
      html`<div class="form rules-trial" aria-live="polite" aria-busy=${trial || problem ? 'false' : 'true'}>
        ${problem ? html`<p class="problem" role="alert">${icon('urgent')}${problem}</p>` : trial ? outcome(trial) : html`<p class="hint">${t('rules_trying')}</p>`}
        <p class="hint">${t('rules_trial_yours')}</p>
        <div class="buttons">
          <button class="button" type="button" @click=${() => dialog.close()}>${t('rules_back')}</button>
          ${goLive && trial ? html`<button class="button primary" type="button" aria-disabled=${busy ? 'true' : 'false'} @click=${live}>${t('rules_go_live')}</button>` : nothing}
        </div>
      </div>`,
    { label: t('rules_trial'), sheet: true, closeLabel: t('close') },
  );
  trying.then(
    (found) => {
      trial = found;
      dialog.update();
    },
    (error) => {
      problem = whyNot(context, error);
      dialog.update();
    },
  );
  return dialog;
}
