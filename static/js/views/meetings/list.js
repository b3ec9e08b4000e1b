/**
 * The evenings of her area.
 * @module
 */
import { html } from 'lit-html';
import { icon } from '../icons.js';
import { may } from '../names.js';
import { openPlan } from './plan.js';

/** @typedef {import('../meetings.js').Desk} Desk */
/** @typedef {import('../../meetings/model.js').Meeting} Meeting */

/** @param {Desk} desk */
export function createList(desk) {
  const { context, say } = desk;
  const day = new Intl.DateTimeFormat(context.language === 'en' ? 'en-GB' : 'nl-NL', {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    hour: '2-digit',
    minute: '2-digit',
  });

  /** @param {Meeting} meeting */
  const card = (meeting) =>
    html`<li class="card meeting-card">
      <a href="/meetings/${meeting.id}">
        <h2>${meeting.title}</h2>
        <p>${day.format(meeting.starts_ms)}</p>
        <p class="hint">${[meeting.place, meeting.area_name].filter(Boolean).join(' · ')}</p>
      </a>
      <p><span class="tag state-${meeting.state}">${say(`state_${meeting.state}`)}</span>${meeting.pending ? html` <span class="tag">${say(meeting.pending === 'rejected' ? 'refused' : 'pending')}</span>` : ''}</p>
    </li>`;

  return {
    render() {
      const all = desk.meetings();
      const plan = may(context, 'host')
        ? html`<button class="button primary" type="button" aria-haspopup="dialog" @click=${() => openPlan(desk)}>${icon('plus')}${say('add')}</button>`
        : '';
      return html`<section class="page meetings">
        <div class="page-head"><a class="button quiet to-list" href="/phone" aria-label=${context.t('back')}>${icon('back')}</a><h1 tabindex="-1">${say('title')}</h1></div>
        ${
          all.length
            ? html`<p class="hint">${say('list_help')}</p><div class="buttons">${plan}</div><ul class="cards">${all.map(card)}</ul>`
            : html`<div class="empty">${icon('contact')}<h2>${say('list_none')}</h2><p>${say('list_none_help')}</p>${plan}</div>`
        }
      </section>`;
    },
  };
}
