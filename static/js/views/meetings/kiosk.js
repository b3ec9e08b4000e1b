/**
 * The hall looks on: this screen shows the board and nothing else, also after it was started again, until the owner's own
 * digits bring her back. It is a modal dialog: what lies behind it is not drawn, and cannot be reached by keyboard.
 * @module
 */
import { html, nothing, render } from 'lit-html';
import { icon } from '../icons.js';
import { Lacks, openSheet, typed } from './forms.js';
import { keptQr } from './prepare.js';

/** @typedef {import('../meetings.js').Desk} Desk */

/** The path that this device starts at; app.js looks at it. */
const KIOSK = 'kiosk';
const PIN = 'kiosk-pin';
const SNAPSHOTS = 'stoep-snapshots';
const A_PAGE = 3;
const TRIES = 3;
const PAUSE_S = 30;

/** @param {string} pin @param {string} id */
async function digest(pin, id) {
  const bytes = new TextEncoder().encode(`${id} ${pin}`);
  const hashed = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...hashed].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {Desk} desk @param {string} id of the meeting */
export function createKiosk(desk, id) {
  const { context, say } = desk;
  const { now } = context;
  const path = `/meetings/${id}`;
  /** @type {HTMLDialogElement | null} */
  let dialog = null;
  let page = 0;
  let asking = false;
  let wrong = '';
  let tries = 0;
  let locked_ms = 0;
  let blank = false;
  let left = false;
  const on = () => localStorage.getItem(KIOSK) === path;

  const ask = () => {
    openSheet(desk, {
      label: say('kiosk'),
      yes: say('kiosk_start'),
      fields: () =>
        html`<p class="hint">${say('kiosk_help')}</p>
          <label class="field"><span>${say('kiosk_pin')}</span><input name="pin" type="password" inputmode="numeric" pattern="[0-9]*" maxlength="4" autocomplete="off" /></label>`,
      async submit(data) {
        const pin = typed(data.get('pin'));
        if (!/^\d{4}$/.test(pin)) throw new Lacks('pin', 'kiosk_pin_needed');
        localStorage.setItem(PIN, await digest(pin, id));
        localStorage.setItem(KIOSK, path);
        // The last screens are kept as pages for a cold start: the hall must not see one flash by.
        await globalThis.caches?.delete(SNAPSHOTS);
        context.draw();
      },
    });
  };

  const turn = (/** @type {number} */ step) => {
    page += step;
    blank = false;
    paint();
  };

  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    // Nothing typed here reaches the app behind it.
    event.stopPropagation();
    if (asking || event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    if (['PageDown', 'ArrowRight', 'ArrowDown'].includes(key)) turn(1);
    else if (['PageUp', 'ArrowLeft', 'ArrowUp'].includes(key)) turn(-1);
    else if (key === 'b' || key === '.') {
      blank = !blank;
      paint();
    } else return;
    event.preventDefault();
  };

  /** @param {SubmitEvent} event */
  const back = async (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const pin = typed(new FormData(form).get('pin'));
    const left_s = Math.ceil((locked_ms - now()) / 1000);
    if (left_s > 0) wrong = say('kiosk_wait', { n: left_s });
    else if ((await digest(pin, id)) === localStorage.getItem(PIN)) return end();
    else {
      tries += 1;
      if (tries % TRIES === 0) locked_ms = now() + PAUSE_S * 1000;
      wrong = say('kiosk_wrong');
    }
    form.reset();
    paint();
  };

  const end = () => {
    localStorage.removeItem(KIOSK);
    localStorage.removeItem(PIN);
    close();
    context.draw();
  };

  const close = () => {
    dialog?.close();
    dialog?.remove();
    dialog = null;
    asking = blank = false;
    wrong = '';
    page = 0;
  };

  const body = () => {
    const meeting = desk.meeting();
    // Only what the hall's own board shows: no names, no notes, nothing that waits to be looked at.
    const shown = desk
      .questions()
      .filter((one) => one.moderation === 'shown')
      .reverse();
    const pages = Math.max(1, Math.ceil(shown.length / A_PAGE));
    page = Math.max(0, Math.min(page, pages - 1));
    const qr = meeting?.code ? keptQr(meeting.code) : null;
    if (blank) return html`<div class="kiosk-blank"></div>`;
    return html`<div class="kiosk-main">
        <h1>${meeting?.title}</h1>
        ${
          shown.length
            ? html`<ol>${shown
                .slice(page * A_PAGE, (page + 1) * A_PAGE)
                .map(
                  (one) =>
                    html`<li><p class="asked" dir="auto">${one.text}</p><p class="fate ${one.fate}"><strong>${say(`fate_${one.fate}`)}</strong>${one.fate_text ? html`: ${one.fate_text}` : nothing}</p></li>`,
                )}</ol>`
            : html`<p class="kiosk-none">${say('kiosk_none')}</p>`
        }
      </div>
      <aside>
        ${
          meeting?.code && meeting.state === 'open'
            ? html`<p class="kiosk-join">${say('kiosk_join')}</p>
              ${qr ? html`<img src="data:image/svg+xml,${encodeURIComponent(qr)}" alt="QR" />` : nothing}
              <p class="kiosk-code">${location.host}/m/<wbr /><strong>${meeting.code}</strong></p>`
            : nothing
        }
      </aside>
      <footer>
        <button class="button" type="button" aria-label=${say('kiosk_previous')} ?disabled=${page === 0} @click=${() => turn(-1)}>${icon('back')}</button>
        <span class="number">${say('kiosk_page', { page: page + 1, pages })}</span>
        <button class="button" type="button" aria-label=${say('kiosk_next')} ?disabled=${page >= pages - 1} @click=${() => turn(1)}>${icon('next')}</button>
        ${
          asking
            ? html`<form @submit=${back}>
                <label class="field"><span>${say('kiosk_pin_ask')}</span><input name="pin" type="password" inputmode="numeric" maxlength="4" autocomplete="off" /></label>
                <button class="button primary">${say('kiosk_back')}</button>
                <button class="button" type="button" @click=${() => ((asking = false), (wrong = ''), paint())}>${context.t('cancel')}</button>
                <p class="problem" role="alert">${wrong}</p>
              </form>`
            : html`<button class="button quiet" type="button" @click=${() => ((asking = true), paint(), /** @type {HTMLElement | null} */ (dialog?.querySelector('input'))?.focus())}>${say('kiosk_back')}</button>`
        }
      </footer>`;
  };

  const paint = () => dialog && render(body(), dialog);

  return {
    on,
    ask,
    /** Show it when it is on, as it is now. */
    keep() {
      if (!on()) return;
      if (!dialog) {
        dialog = document.createElement('dialog');
        dialog.className = 'kiosk';
        dialog.setAttribute('aria-label', say('kiosk'));
        dialog.addEventListener('cancel', (event) => event.preventDefault());
        dialog.addEventListener('keydown', keys);
        for (const other of document.querySelectorAll('dialog[open]')) other.remove();
        document.body.append(dialog);
        dialog.showModal();
      }
      paint();
    },
    /** The back button leads nowhere else while the hall looks on; the board stays until the next one covers it. */
    leave() {
      if (!on()) return close();
      if (!left) {
        // Going there leaves this page once more.
        left = true;
        context.go(path, { replace: true });
      }
    },
  };
}
