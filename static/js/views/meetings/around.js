/**
 * All round an evening: getting ready, the hall, promises, who is here, who helps, the minutes.
 * @module
 */
import { html, nothing } from 'lit-html';
import { size } from '../clocks.js';
import { confirm, showDialog } from '../dialogs.js';
import { icon } from '../icons.js';
import { may } from '../names.js';
import { Lacks, openSheet, typed } from './forms.js';
import { openPlan } from './plan.js';
import { prepare, prepared } from './prepare.js';

/** @typedef {import('../meetings.js').Desk} Desk */

/**
 * @param {Desk} desk
 * @param {string} id of the meeting
 * @param {{kiosk: ReturnType<typeof import('./kiosk.js').createKiosk>, promise: () => void}} others
 */
export function createAround(desk, id, { kiosk, promise }) {
  const { context, say, api } = desk;
  const { store, draw, clocks, toast, now, language } = context;
  let ready = prepared(id);
  let preparing = false;
  const online = () => store.status().connection === 'online';
  const host = () => may(context, 'host');
  const day = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : 'nl-NL', {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
  });

  /** @param {'open' | 'closed'} state */
  const set = (state) =>
    desk.keep('meeting_state', id, { meeting: id, state }).catch(() => toast(say('catch_failed')));

  const close = async () => {
    const sure = { title: say('close_ask'), text: say('close_help'), yes: say('close_now') };
    if (await confirm(context, sure)) await set('closed');
  };

  const getReady = async () => {
    if (preparing) return;
    preparing = true;
    draw();
    try {
      const meeting = desk.meeting();
      if (meeting) ready = await prepare(context, meeting);
    } finally {
      preparing = false;
      draw();
    }
  };

  /** @param {import('../meetings.js').Word} word @param {unknown} value */
  const fact = (word, value) => html`<div><dt>${say(word)}</dt><dd>${value}</dd></div>`;

  const readiness = () => {
    const time = ready?.in_step_ms ? clocks.moment(ready.in_step_ms) : say('prepare_never');
    return html`<h2>${say('prepare')}</h2>
      <p class="hint">${say('prepare_help')}</p>
      ${
        ready
          ? html`<p class="ready">${icon(ready.online ? 'done' : 'offline')}${say(ready.online ? 'prepare_done' : 'prepare_offline', { time, size: size(ready.bytes, language) })}</p>
            <dl class="facts">
              <div><dt>${say('prepare_conversations', { area: desk.meeting()?.area_name })}</dt><dd>${ready.whole === ready.conversations ? ready.whole : say('prepare_of', { have: ready.whole, total: ready.conversations })}</dd></div>
              ${fact('prepare_photos', ready.photos === ready.wanted ? ready.photos : say('prepare_of', { have: ready.photos, total: ready.wanted }))}
              ${fact('prepare_templates', ready.templates)}
              ${ready.guidelines ? fact('prepare_guidelines', ready.guidelines) : nothing}
              ${ready.contacts ? fact('prepare_contacts', ready.contacts) : nothing}
              ${fact('prepare_colleagues', ready.colleagues)}
              ${fact('prepare_qr', say(ready.qr ? 'yes' : 'no'))}
            </dl>
            <p class="hint">${say(ready.persisted ? 'prepare_kept' : 'prepare_not_kept')}</p>`
          : nothing
      }
      <div class="buttons"><button class="button ${ready ? '' : 'primary'}" type="button" aria-disabled=${preparing ? 'true' : 'false'} @click=${getReady}>${icon('refresh')}${say(preparing ? 'prepare_busy' : 'prepare_now')}</button></div>`;
  };

  const hall = () => {
    const meeting = desk.meeting();
    return html`<h2>${say('hall')}</h2>
      ${
        meeting?.code
          ? html`<p class="hint">${say('hall_help')}</p>
            <p class="code">${say('hall_code')} <strong class="number">${meeting.code}</strong></p>
            <div class="buttons">
              <a class="button" href="/m/${meeting.code}/board" target="_blank" rel="noopener">${icon('web')}${say('hall_board')}</a>
              <button class="button" type="button" aria-haspopup="dialog" @click=${kiosk.ask}>${icon('read')}${say('kiosk')}</button>
            </div>
            <p class="hint">${say('kiosk_help')}</p>`
          : html`<p class="hint">${say('hall_later')}</p>`
      }`;
  };

  /** @param {import('../../meetings/model.js').Promised} one */
  const keptButton = (one) => {
    const payload = { promise: one.id, kept: one.kept_ms === null };
    return html`<button class="button quiet" type="button" @click=${() => desk.keep('promise_kept', one.c ?? one.id, payload)}>${say(one.kept_ms === null ? 'promise_kept' : 'promise_not_kept')}</button>`;
  };

  const promises = () => {
    const all = desk.promises();
    return html`<h2>${say('promises')}</h2>
      ${
        all.length
          ? html`<ul class="cards">${all.map(
              (one) => html`<li class="card line">
                <div><p dir="auto">${one.kept_ms === null ? nothing : icon('done')}${one.text}</p><p class="hint">${say('promise_line', { who: one.owner_name, due: day.format(one.due_ms) })}${one.pending === 'waiting' ? ` · ${say('pending')}` : ''}</p></div>
                ${keptButton(one)}
              </li>`,
            )}</ul>`
          : html`<p class="hint">${say('promises_none')}</p>`
      }
      <div class="buttons"><button class="button" type="button" aria-haspopup="dialog" @click=${() => promise()}>${icon('plus')}${say('promise_add')}</button></div>`;
  };

  /** @param {SubmitEvent} event */
  const heads = (event) => {
    event.preventDefault();
    const data = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const said = typed(data.get('heads'));
    const count =
      said === '' ? null : Math.max(0, Math.min(100_000, Math.round(Number(said)) || 0));
    void desk.keep('headcount', id, { meeting: id, heads: count });
  };

  const attend = () =>
    openSheet(desk, {
      label: say('present'),
      yes: say('attendee_add'),
      fields: () =>
        html`<label class="field"><span>${say('catch_name')}</span><input name="name" maxlength="200" autocomplete="off" /></label>
          <label class="field"><span>${say('attendee_organisation')}</span><input name="organisation" maxlength="200" autocomplete="off" /></label>
          <label class="field"><span>${say('catch_email')}</span><input name="email" type="email" inputmode="email" maxlength="200" autocomplete="off" /></label>
          <label class="check"><input type="checkbox" name="minutes" /><span>${say('catch_minutes')}</span></label>
          <label class="check"><input type="checkbox" name="keep" /><span>${say('catch_keep')}</span></label>`,
      async submit(data) {
        const [name, organisation, email] = ['name', 'organisation', 'email'].map((one) =>
          typed(data.get(one)),
        );
        if (!name && !organisation && !email) throw new Lacks('name', 'attendee_needed');
        if ((name || email) && !data.get('keep')) throw new Lacks('keep', 'catch_keep_needed');
        if (data.get('minutes') && !/^[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+$/.test(email ?? ''))
          throw new Lacks('email', 'catch_answer_needs');
        const minutes = Boolean(data.get('minutes'));
        await desk.keep('attend', id, { meeting: id, name, organisation, email, minutes });
      },
    });

  const present = () => {
    const meeting = desk.meeting();
    return html`<h2>${say('present')}</h2>
      <form class="heads" @submit=${heads}>
        <label class="field"><span>${say('heads')}</span><input name="heads" type="number" inputmode="numeric" min="0" max="100000" .value=${meeting?.headcount == null ? '' : String(meeting.headcount)} /></label>
        <button class="button">${say('heads_save')}</button>
      </form>
      ${
        meeting?.attendees.length
          ? html`<ul class="present">${meeting.attendees.map((one) => html`<li>${[one.name, one.organisation].filter(Boolean).join(', ') || one.email}${one.minutes ? html` <span class="hint">${say('minutes_wish')}</span>` : nothing}</li>`)}</ul>`
          : html`<p class="hint">${say('attendees_none')}</p>`
      }
      <div class="buttons"><button class="button" type="button" aria-haspopup="dialog" @click=${attend}>${icon('plus')}${say('attendee_add')}</button></div>`;
  };

  const invite = () => {
    openSheet(desk, {
      label: say('helper_add'),
      yes: say('helper_add'),
      fields: () =>
        html`<p class="hint">${say('helpers_help')}</p><label class="field"><span>${say('helper_name')}</span><input name="name" maxlength="100" autocomplete="off" /></label>`,
      async submit(data) {
        const name = typed(data.get('name'));
        if (!name) throw new Lacks('name', 'helper_name_needed');
        let made;
        try {
          made = await api.invite(id, name);
        } catch {
          throw new Lacks('name', 'needs_network');
        }
        store.sendNow();
        showInvitation(name, made);
      },
    });
  };

  /** @param {string} name @param {{url: string, qr: string, until_ms: number}} made */
  const showInvitation = (name, { url, qr, until_ms }) => {
    const copy = () =>
      navigator.clipboard
        ?.writeText(url)
        .then(() => toast(say('helper_copied')))
        .catch(() => {});
    showDialog(
      () =>
        html`<p>${say('helper_link', { name, time: clocks.moment(until_ms) })}</p>
          <img class="qr" src="data:image/svg+xml,${encodeURIComponent(qr)}" alt="QR" />
          <label class="field"><span class="sr">${say('helper_copy')}</span><input readonly .value=${url} @focus=${(/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).select()} /></label>
          <div class="buttons"><button class="button" type="button" @click=${copy}>${say('helper_copy')}</button></div>`,
      { label: say('helper_add'), sheet: true, closeLabel: context.t('close') },
    );
  };

  /** @param {string} helper */
  const dismiss = async (helper) => {
    try {
      await api.dismiss(id, helper);
      toast(say('helper_ended'));
      store.sendNow();
    } catch {
      toast(say('needs_network'));
    }
  };

  const helpers = () => {
    const all = desk.meeting()?.helpers ?? [];
    return html`<h2>${say('helpers')}</h2>
      <p class="hint">${say('helpers_help')}</p>
      ${
        all.length
          ? html`<ul class="cards">${all.map((one) => {
              const over = one.until_ms <= now();
              return html`<li class="card line"><div><p>${one.name}</p><p class="hint">${say(over ? 'helper_over' : one.used ? 'helper_used' : 'helper_unused', { time: clocks.moment(one.until_ms) })}</p></div>
                ${over ? nothing : html`<button class="button danger" type="button" @click=${() => dismiss(one.id)}>${say('helper_end')}</button>`}</li>`;
            })}</ul>`
          : nothing
      }
      ${online() ? html`<div class="buttons"><button class="button" type="button" aria-haspopup="dialog" @click=${invite}>${icon('plus')}${say('helper_add')}</button></div>` : html`<p class="hint">${say('needs_network')}</p>`}`;
  };

  const give = async () => {
    const sure = {
      title: say('minutes_ask'),
      text: say('minutes_ask_help'),
      yes: say('minutes_give'),
    };
    if (!(await confirm(context, sure))) return;
    try {
      const { mailed, mailbox } = await api.giveOut(id);
      toast(mailbox ? say('minutes_mailed', { n: mailed }) : say('minutes_no_mailbox'));
      store.sendNow();
    } catch {
      toast(say('needs_network'));
    }
  };

  const minutes = () => {
    const given = desk.meeting()?.minutes_ms;
    return html`<h2>${say('minutes')}</h2>
      <p class="hint">${say('minutes_help')}</p>
      ${desk.waits() ? html`<p class="hint">${say('minutes_waits', { n: desk.waits() })}</p>` : nothing}
      ${given ? html`<p class="ready">${icon('done')}${say('minutes_given', { time: clocks.moment(given) })}</p>` : nothing}
      ${
        online()
          ? html`<div class="buttons">
              <a class="button" href="/minutes/${id}" target="_blank" rel="noopener">${say('minutes_read')}</a>
              <a class="button" href="/minutes/${id}/pdf" target="_blank" rel="noopener">${say('minutes_pdf')}</a>
              <button class="button ${given ? '' : 'primary'}" type="button" aria-haspopup="dialog" @click=${give}>${icon('send')}${say('minutes_give')}</button>
            </div>`
          : html`<p class="hint">${say('needs_network')}</p>`
      }`;
  };

  return {
    open: () => void set('open'),
    render() {
      const meeting = desk.meeting();
      return html`<div class="around">
        <p class="hint">${[meeting?.place, meeting?.area_name, day.format(meeting?.starts_ms)].filter(Boolean).join(' · ')}</p>
        ${
          host()
            ? html`<div class="buttons">
                <button class="button" type="button" aria-haspopup="dialog" @click=${() => openPlan(desk, meeting)}>${icon('details')}${say('edit')}</button>
                ${meeting?.state === 'open' ? html`<button class="button" type="button" @click=${close}>${say('close_now')}</button>` : meeting?.state === 'closed' ? html`<button class="button" type="button" @click=${() => set('open')}>${say('reopen')}</button>` : nothing}
              </div>`
            : nothing
        }
        ${host() ? readiness() : nothing} ${hall()} ${promises()} ${present()} ${host() ? helpers() : nothing} ${host() ? minutes() : nothing}
        ${meeting?.state === 'open' ? html`<p class="hint">${say('awake')}</p>` : nothing}
      </div>`;
    },
  };
}
