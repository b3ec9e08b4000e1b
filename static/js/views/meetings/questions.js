/**
 * What was asked, in order, with what becomes of each; above it what the hall sent and nobody looked at yet.
 * @module
 */
import { html, nothing } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { uuid7 } from '../../ids.js';
import { icon } from '../icons.js';
import { createPhotos } from '../photos.js';
import { Lacks, openSheet, typed } from './forms.js';

/** @typedef {import('../meetings.js').Desk} Desk */
/** @typedef {import('../../meetings/model.js').Question} Question */

/** Cards drawn at once; an evening of hundreds is asked for in pieces, so that a tap stays a tap. */
const DRAWN = 40;
const FATES = /** @type {const} */ (['answered', 'later', 'handed', 'dropped']);
const REASONS = /** @type {const} */ (['hide_polite', 'hide_double', 'hide_personal']);
const DAY_MS = 86_400_000;

/** @param {Desk} desk @param {string} id of the meeting */
export function createQuestions(desk, id) {
  const { context, say } = desk;
  const { clocks, draw, now, store } = context;
  const pictures = createPhotos(context);
  /** @type {'all' | 'open' | 'done'} */
  let filter = 'all';
  let drawn = DRAWN;

  /** @param {Question} question */
  const about = (question) => question.c ?? question.id;

  /** @param {Question} question */
  const decide = (question) => {
    let fate = question.fate === 'open' ? 'answered' : question.fate;
    // Once, and never from an assistant's tablet: she writes to nobody in the municipality's name.
    const to =
      question.answer_by === 'email' &&
      question.fate !== 'answered' &&
      store.me().role !== 'assistant'
        ? question.contact
        : '';
    let mail = to.includes('@');
    const sheet = openSheet(desk, {
      label: say('fate_what'),
      yes: say('fate_save'),
      fields: () =>
        html`<p class="quote" dir="auto">${question.text}</p>
          <fieldset class="ticks"><legend class="sr">${say('fate_what')}</legend>
            ${FATES.map((one) => html`<label class="chip-radio"><input type="radio" name="fate" value=${one} .checked=${fate === one} @change=${() => ((fate = one), sheet.update())} /><span>${say(`fate_${one}`)}</span></label>`)}
          </fieldset>
          <label class="field"><span>${say(`fate_text_${/** @type {'answered'} */ (fate)}`)}</span><textarea name="text" rows="3" maxlength="2000" .defaultValue=${question.fate_text}></textarea></label>
          <p class="hint">${say('fate_public')}</p>
          ${to.includes('@') && fate === 'answered' ? html`<label class="check"><input type="checkbox" name="mail" .checked=${mail} @change=${(/** @type {Event} */ event) => (mail = /** @type {HTMLInputElement} */ (event.target).checked)} /><span>${say('fate_mail', { to })}</span></label>` : nothing}`,
      async submit(data) {
        const text = typed(data.get('text'));
        if (fate !== 'later' && !text) throw new Lacks('text', 'fate_needed');
        await desk.keep(
          'fate',
          about(question),
          { question: question.id, fate, text, ...(mail && fate === 'answered' && { mail }) },
          question.fate_position,
        );
      },
    });
  };

  /** @param {Question} question */
  const show = (question) =>
    desk
      .keep('moderate', about(question), { question: question.id, state: 'shown', reason: '' })
      .catch(() => context.toast(say('catch_failed')));

  /** @param {Question} question */
  const hide = (question) => {
    let reason = question.reason;
    const sheet = openSheet(desk, {
      label: say('hide'),
      yes: say('hide'),
      fields: () =>
        html`<p class="quote" dir="auto">${question.text}</p>
          <label class="field"><span>${say('hide_why')}</span><input name="reason" maxlength="200" .value=${reason} @input=${(/** @type {Event} */ event) => (reason = /** @type {HTMLInputElement} */ (event.target).value)} /></label>
          <div class="chips wrap">${REASONS.map((one) => html`<button class="chip" type="button" @click=${() => ((reason = say(one)), sheet.update())}>${say(one)}</button>`)}</div>`,
      async submit() {
        if (!reason.trim()) throw new Lacks('reason', 'fate_needed');
        await desk.keep('moderate', about(question), {
          question: question.id,
          state: 'hidden',
          reason: reason.trim(),
        });
      },
    });
  };

  /** @param {Question} question */
  const reword = (question) => {
    const agenda = desk.meeting()?.agenda ?? [];
    openSheet(desk, {
      label: say('reword'),
      yes: say('fate_save'),
      fields: () =>
        html`${
          question.source === 'phone'
            ? html`<p class="quote" dir="auto">${question.text}</p>`
            : html`<label class="field"><span>${say('reword_text')}</span><textarea name="text" rows="3" .defaultValue=${question.text}></textarea></label>`
        }
          ${agenda.length ? html`<label class="field"><span>${say('catch_agenda')}</span><select name="agenda"><option value="">${say('catch_agenda_none')}</option>${agenda.map((item, at) => html`<option value=${at} ?selected=${question.agenda === at}>${item}</option>`)}</select></label>` : nothing}
          ${question.source === 'phone' ? nothing : html`<p class="hint">${say('reword_help')}</p>`}`,
      async submit(data) {
        const text = question.source === 'phone' ? question.text : typed(data.get('text'));
        if (!text) throw new Lacks('text', 'reword_needed');
        const item = typed(data.get('agenda'));
        const payload = { question: question.id, text, agenda: item ? Number(item) : null };
        await desk.keep('reword', about(question), payload);
      },
    });
  };

  /** @param {Question} [question] */
  const promise = (question) => {
    const me = store.me().id;
    const people = /** @type {import('../types.js').Person[]} */ (store.refs('person')).filter(
      (one) => one.active && one.role !== 'assistant' && one.role !== 'archivist',
    );
    // An assistant's tablet knows no colleagues but those who lead the evening.
    const known = people.length ? people : (desk.meeting()?.hosts ?? []);
    const soon = new Date(now() + 14 * DAY_MS).toISOString().slice(0, 10);
    openSheet(desk, {
      label: say('promise_add'),
      yes: say('fate_save'),
      fields: () =>
        html`${question ? html`<p class="quote" dir="auto">${question.text}</p>` : nothing}
          <label class="field"><span>${say('promise_what')}</span><textarea name="text" rows="2" maxlength="2000"></textarea></label>
          <div class="pair">
            <label class="field"><span>${say('promise_who')}</span><select name="owner">${known.map((one) => html`<option value=${one.id} ?selected=${one.id === me}>${one.name}</option>`)}</select></label>
            <label class="field"><span>${say('promise_due')}</span><input name="due" type="date" .defaultValue=${soon} /></label>
          </div>`,
      async submit(data) {
        const text = typed(data.get('text'));
        // To the end of that day, as a person means it.
        const due = new Date(`${typed(data.get('due'))}T23:59`).getTime();
        if (!text) throw new Lacks('text', 'promise_needed');
        if (!(due > now())) throw new Lacks('due', 'promise_due_needed');
        const owner = typed(data.get('owner'));
        const payload = {
          meeting: id,
          question: question?.id ?? null,
          text,
          owner,
          due_at_ms: due,
        };
        await desk.keep('promise', question ? about(question) : uuid7(now()), payload);
      },
    });
  };

  /** @param {Question} one */
  const card = (one) => {
    const agenda = one.agenda === null ? '' : (desk.meeting()?.agenda[one.agenda] ?? '');
    const facts = [
      clocks.time(one.asked_ms),
      agenda,
      one.topic,
      one.place,
      one.source === 'phone' ? say('from_phone') : '',
      one.support ? say('support', { n: one.support }) : '',
    ].filter(Boolean);
    const trouble = [one.pending, one.deciding].find(
      (each) => each === 'held' || each === 'rejected',
    );
    const alone = one.pending === 'waiting' || one.deciding === 'waiting';
    return html`<li class="card question" data-question=${one.id}>
      <p class="asked" dir="auto">${one.text}</p>
      <p class="hint">${facts.join(' · ')}</p>
      ${one.name ? html`<p class="hint private">${icon('take')}${[one.name, one.contact].filter(Boolean).join(', ')}</p>` : nothing}
      ${one.photos.length ? html`<p class="thumbs">${one.photos.map((photo) => html`<img src=${pictures.thumb(photo) ?? nothing} alt=${say('catch_photo')} />`)}</p>` : nothing}
      <p class="fate ${one.fate}">${one.urgent ? html`<span class="tag urgent">${icon('urgent')}${say('catch_urgent')}</span>` : nothing}<span class="tag ${one.fate}">${say(`fate_${one.fate}`)}</span>${one.fate_text ? html`<span dir="auto">${one.fate_text}</span>` : nothing}</p>
      ${one.moderation === 'hidden' ? html`<p class="hint">${say('hidden', { reason: one.reason })}</p>` : one.moderation === 'waiting' ? html`<p class="hint">${say('not_shown')}</p>` : nothing}
      ${trouble ? html`<p class="problem"><a href="/outbox">${say(trouble === 'held' ? 'held' : 'refused')}</a></p>` : alone ? html`<p class="hint alone">${icon('queue')}${say('pending')}</p>` : nothing}
      <div class="buttons">
        ${one.moderation === 'shown' ? nothing : html`<button class="button primary" type="button" @click=${() => show(one)}>${say('show')}</button>`}
        ${one.moderation === 'waiting' ? nothing : html`<button class="button" type="button" aria-haspopup="dialog" @click=${() => decide(one)}>${say('fate_what')}</button>`}
        ${one.source === 'phone' && !desk.meeting()?.agenda.length ? nothing : html`<button class="button quiet" type="button" aria-haspopup="dialog" @click=${() => reword(one)}>${say('reword')}</button>`}
        ${one.moderation === 'hidden' ? nothing : html`<button class="button quiet" type="button" aria-haspopup="dialog" @click=${() => hide(one)}>${say('hide')}</button>`}
        ${one.moderation === 'waiting' ? nothing : html`<button class="button quiet" type="button" aria-haspopup="dialog" @click=${() => promise(one)}>${say('promise')}</button>`}
        ${one.c && !one.pending && store.me().role !== 'assistant' ? html`<a class="button quiet" href="/c/${one.c}">${say('to_conversation')}</a>` : nothing}
      </div>
    </li>`;
  };

  /** @param {Question[]} some */
  const cards = (some) => html`<ol class="cards">${repeat(some, (one) => one.id, card)}</ol>`;

  return {
    promise,
    /** How many wait for somebody to look. */
    queued: () => desk.questions().filter((one) => one.moderation === 'waiting').length,
    render() {
      const all = desk.questions();
      const queue = all.filter((one) => one.moderation === 'waiting');
      const rest = all
        .filter((one) => one.moderation !== 'waiting')
        .filter((one) => filter === 'all' || (one.fate === 'open') === (filter === 'open'))
        .reverse();
      const shown = rest.slice(0, drawn);
      return html`<div class="questions">
        ${queue.length ? html`<h2>${icon('look')}${say('queue')} <span class="number">${queue.length}</span></h2>${cards(queue.slice(0, DRAWN))}` : nothing}
        <h2>${say('questions')} <span class="number">${all.length - queue.length}</span></h2>
        ${
          all.length
            ? html`<div class="chips wrap" role="group" aria-label=${say('questions')}>
                ${/** @type {const} */ (['all', 'open', 'done']).map((one) => html`<button class="chip" type="button" aria-pressed=${filter === one ? 'true' : 'false'} @click=${() => ((filter = one), (drawn = DRAWN), draw())}>${say(`filter_${one}`)}</button>`)}
              </div>
              ${cards(shown)}
              ${rest.length > shown.length ? html`<div class="buttons"><button class="button" type="button" @click=${() => ((drawn += DRAWN), draw())}>${say('catch_more')} <span class="number">${rest.length - shown.length}</span></button></div>` : nothing}`
            : html`<div class="empty">${icon('contact')}<h3>${say('questions_none')}</h3><p>${say('questions_none_help')}</p></div>`
        }
      </div>`;
    },
  };
}
