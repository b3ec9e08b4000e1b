/**
 * Trying an account from outside: a code to send to it, and when that came in. It never says that something works
 * which nobody saw work.
 * @module
 */
import { html, nothing } from 'lit-html';
import { icon } from '../icons.js';
import { may } from '../names.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('./words.js').Say} Say */
/** @typedef {import('../../channels-api.js').Test} Test */

const AGAIN_MS = 3_000;

/**
 * @param {Context} context
 * @param {Say} say
 * @param {import('../../channels-api.js').ChannelsApi} api
 * @param {string} id  of the account
 * @param {Test | null} known
 * @param {() => void} changed
 * @param {() => void} close  the sheet, when she goes to the message
 */
export function createTrial(context, say, api, id, known, changed, close) {
  const { clocks, now, toast } = context;
  /** @type {Test | null} */
  let test = known;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pause;
  let over = false;

  const waits = () => test && !test.seen_ms && test.expires_ms > now();

  const look = () => {
    clearTimeout(pause);
    if (over || !waits()) return;
    pause = setTimeout(async () => {
      try {
        test = (await api.test(id)) ?? test;
        if (!over) changed();
      } catch {
        // Asked again below; that there is no network the bar says.
      }
      look();
    }, AGAIN_MS);
  };

  const begin = async () => {
    try {
      test = await api.begin(id);
      changed();
      look();
    } catch {
      toast(say('no_answer'));
    }
  };
  look();

  const state = () => {
    if (!test) return html`<p>${say('code_none')}</p>`;
    if (test.seen_ms)
      return html`<p class="good">${icon('done')}<span>${say('code_seen', { time: clocks.moment(test.seen_ms) })}</span></p>
        ${test.conversation ? html`<p><a class="button" href="/c/${test.conversation}" @click=${close}>${say(may(context, 'reply') ? 'code_answer' : 'code_look')}</a></p>` : nothing}`;
    if (!waits()) return html`<p>${say('code_over')}</p>`;
    return html`<p>${say('code_help')}</p>
      <p class="code"><strong>${test.code}</strong></p>
      <p class="hint" role="status">${say('code_waits')}</p>`;
  };

  return {
    leave() {
      over = true;
      clearTimeout(pause);
    },
    render: () =>
      html`<section class="trial-code" aria-label=${say('try_both_ways')}>
        <h3>${say('try_both_ways')}</h3>
        ${state()}
        ${waits() ? nothing : html`<div class="buttons"><button class="button" type="button" @click=${begin}>${say('code_make')}</button></div>`}
      </section>`,
  };
}
