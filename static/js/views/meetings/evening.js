/**
 * One evening on this tablet: catching, the questions, and all round it. Two panes where they fit, one under the thumb where
 * they do not. Above them what is stored, and what still waits.
 * @module
 */
import { html, nothing } from 'lit-html';
import { icon } from '../icons.js';
import { may } from '../names.js';
import { createAround } from './around.js';
import { createCatch } from './catch.js';
import { createKiosk } from './kiosk.js';
import { createQuestions } from './questions.js';

/** @typedef {import('../meetings.js').Desk} Desk */
/** @typedef {'catch' | 'questions' | 'around'} Tab */

/** @param {Desk} desk @param {string} id of the meeting */
export function createEvening(desk, id) {
  const { context, say } = desk;
  const { store, t, clocks, draw } = context;
  /** @type {Tab} */
  let tab = desk.meeting()?.state === 'planned' ? 'around' : 'catch';
  const catching = createCatch(desk, id);
  const questions = createQuestions(desk, id);
  const kiosk = createKiosk(desk, id);
  const around = createAround(desk, id, { kiosk, promise: questions.promise });
  /** @type {WakeLockSentinel | null} */
  let lock = null;
  /** It is drawn more often than a lock is granted. */
  let asking = false;
  let over = false;

  const awake = async () => {
    const wanted = desk.meeting()?.state === 'open' && document.visibilityState === 'visible';
    if (!wanted || over || asking || (lock && !lock.released)) return;
    asking = true;
    try {
      lock = (await navigator.wakeLock?.request('screen')) ?? null;
      if (over) void lock?.release();
    } catch {
      // Battery saving or an old browser: the screen goes dark as it always does.
    }
    asking = false;
  };
  document.addEventListener('visibilitychange', awake);
  window.addEventListener('pagehide', catching.flush);
  const hidden = () => document.visibilityState === 'hidden' && catching.flush();
  document.addEventListener('visibilitychange', hidden);

  /** @param {Tab} next */
  const go = (next) => {
    tab = next;
    draw();
    if (next === 'catch') requestAnimationFrame(catching.focus);
  };

  /** The large sign: what is typed here is on this tablet, whatever the network does. */
  const sign = () => {
    const { connection, needsPerson, lastInStepMs } = store.status();
    const waits = desk.waits();
    const online = connection === 'online';
    return html`<div class="stored ${waits || !online ? 'waits' : ''}" role="status">
      ${icon('done')}
      <div>
        <p class="stored-head">${say('all_stored')}</p>
        <p>${waits ? say('all_waits', { n: waits }) : lastInStepMs ? say('all_there', { time: clocks.moment(lastInStepMs) }) : ''}</p>
        ${online ? nothing : html`<p>${say('alone')}</p>`}
        ${needsPerson ? html`<p><a href="/outbox">${say('needs_look', { n: needsPerson })}</a></p>` : nothing}
      </div>
    </div>`;
  };

  /** @param {Tab} name @param {number} [count] */
  const tabButton = (name, count) =>
    html`<button class="tab-button" type="button" aria-pressed=${tab === name ? 'true' : 'false'} @click=${() => go(name)}>${say(`tab_${name}`)}${count ? html` <span class="badge number">${count}</span>` : nothing}</button>`;

  return {
    first: catching.first,
    leave() {
      over = true;
      catching.leave();
      window.removeEventListener('pagehide', catching.flush);
      document.removeEventListener('visibilitychange', awake);
      document.removeEventListener('visibilitychange', hidden);
      void lock?.release();
      kiosk.leave();
    },
    render() {
      const meeting = desk.meeting();
      if (!meeting) return html``;
      void awake();
      kiosk.keep();
      // Under the board there is nothing: not even for who could look behind it.
      if (kiosk.on()) return html`<section class="page" aria-busy="true"></section>`;
      const wide = context.wide();
      const body =
        tab === 'around'
          ? around.render()
          : wide
            ? html`<div class="evening-panes"><div>${catching.render()}</div><div>${questions.render()}</div></div>`
            : tab === 'catch'
              ? catching.render()
              : questions.render();
      return html`<section class="page evening">
        <div class="page-head"><a class="button quiet to-list" href="/meetings" aria-label=${t('back')}>${icon('back')}</a><h1 tabindex="-1">${meeting.title}</h1><span class="tag state-${meeting.state}">${say(`state_${meeting.state}`)}</span></div>
        ${meeting.state === 'planned' && may(context, 'host') ? html`<div class="buttons"><button class="button primary" type="button" @click=${() => around.open()}>${say('open_now')}</button><span class="hint">${say('open_help')}</span></div>` : nothing}
        ${sign()}
        <div class="tabs" role="group" aria-label=${meeting.title}>
          ${wide ? nothing : tabButton('catch')}
          ${wide ? html`<button class="tab-button" type="button" aria-pressed=${tab === 'around' ? 'false' : 'true'} @click=${() => go('catch')}>${say('tab_catch')} · ${say('tab_questions')}${questions.queued() ? html` <span class="badge number">${questions.queued()}</span>` : nothing}</button>` : tabButton('questions', questions.queued())}
          ${tabButton('around')}
        </div>
        ${body}
      </section>`;
    },
  };
}
