/**
 * An urgent conversation that nobody acknowledged yet: who was woken, who is next, and the button that stops it. All of
 * it is read from the replica, so it stands there without a network; only the list of all steps is the server's.
 * @module
 */
import { html } from 'lit-html';
import { word } from '../i18n.js';
import { createOncallApi } from '../oncall-api.js';
import { showDialog } from './dialogs.js';
import { icon } from './icons.js';
import { may, nameFirst, personName } from './names.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Head} Head */
/** @typedef {import('../types.js').Alert} Alert */
/** @typedef {import('../oncall-api.js').Step} Step */
/** @typedef {import('../oncall-api.js').PreviewRow} PreviewRow */

const SNOOZE_MIN = 15;
const MINUTE_MS = 60_000;
/** Reasons that the sentence about what would come says already. */
const SAID = new Set(['no_reaction', 'exhausted']);

/**
 * What an open alert says, line by line: since when, who was woken, who is next. Pure but for the names.
 * @param {Context} context
 * @param {Alert} alert
 * @param {boolean} online
 * @returns {string[]}
 */
export function alertLines(context, alert, online) {
  const { t, clocks, now } = context;
  const open_min = Math.floor((now() - alert.since_ms) / MINUTE_MS);
  const since = clocks.moment(alert.since_ms);
  const lines = [
    open_min > 0 && open_min < 60
      ? t('alert_since_minutes', { time: since, n: open_min })
      : t('alert_since', { time: since }),
  ];
  const woken = alert.woken.map(({ person, at_ms }) =>
    t('alert_woken_one', { name: personName(context, person), time: clocks.moment(at_ms) }),
  );
  lines.push(woken.length ? t('alert_woken', { names: woken.join(', ') }) : t('alert_woken_nobody'));
  // Right after it opened the server still works out who is first.
  if (alert.next || alert.step > 0 || open_min > 0) lines.push(nextLine(context, alert, online));
  const me = context.store.me().id;
  const mine = (alert.snoozed ?? []).find(
    ({ person, until_ms }) => person === me && until_ms > now(),
  );
  if (mine) lines.push(t('alert_snoozed', { time: clocks.moment(mine.until_ms) }));
  return lines;
}

/** @param {Context} context @param {Alert} alert @param {boolean} online */
function nextLine(context, { next }, online) {
  const { t, clocks, now } = context;
  if (!next) return t('alert_next_nobody');
  const who = nextName(context, next);
  const time = clocks.moment(next.at_ms);
  const in_min = Math.ceil((next.at_ms - now()) / MINUTE_MS);
  if (in_min > 60) return t('alert_next', { who, time });
  if (in_min > 0) return t('alert_next_in', { who, time, n: in_min });
  // Its clock has passed: only the server knows whether it did what it meant to do.
  if (!online) return t('alert_next_unknown', { who, time });
  return in_min > -1 ? t('alert_next_now', { who }) : t('alert_next_late', { who, time });
}

/** @param {Context} context @param {{kind: string, person?: string | null}} next */
function nextName(context, { kind, person }) {
  const { t } = context;
  if (kind === 'woken') return personName(context, person);
  if (kind === 'lead') return t('alert_lead', { name: personName(context, person) });
  return word(t, 'alert_via', kind);
}

/** One step in a sentence. @param {Context} context @param {Step} step */
export function stepText(context, { kind, person }) {
  const { t } = context;
  return word(t, 'alert_step', kind, { name: nameFirst(context, person) });
}

/** What would come if nobody reacts. @param {Context} context @param {PreviewRow} row */
function thenText(context, row) {
  const { t } = context;
  if (row.kind === 'nobody') return t('alert_next_nobody');
  if (row.kind === 'skipped')
    return t('alert_step_skipped', { name: nameFirst(context, row.person) });
  return t('alert_then', { who: nextName(context, row) });
}

/** Why this one, or what came of it. @param {Context} context @param {Step} step */
function stepHint({ t }, { kind, outcome, detail }) {
  const hints = [];
  if (kind === 'closed') hints.push(word(t, 'alert_closed', detail));
  else if (kind === 'snoozed') hints.push(t('alert_minutes', { n: Number(detail) }));
  else if (detail) hints.push(word(t, 'oncall_why', detail));
  if (outcome) hints.push(word(t, 'alert_outcome', outcome));
  return hints.length ? html` <span class="hint">${hints.join(' · ')}</span>` : '';
}

/** @param {Context} context @param {ReturnType<typeof createOncallApi>} [api] */
export function createAlert(context, api = createOncallApi()) {
  const { store, t, clocks, toast } = context;
  /** What the screen showed last, so that a change is read aloud. */
  let shown = '';

  /** @param {Head} head @param {'acknowledge' | 'snooze'} kind @param {Record<string, unknown>} payload */
  const act = async (head, kind, payload) => {
    try {
      await store.enqueue({
        kind,
        conversation_id: head.id,
        based_on: head.position,
        payload,
      });
    } catch {
      toast(t('failed'));
    }
  };

  /** @param {Head} head */
  const showSteps = (head) => {
    /** @type {{steps: Step[], next: PreviewRow[]} | null | undefined} undefined = being fetched, null = no answer */
    let told;
    const dialog = showDialog(
      () =>
        told
          ? html`<ol class="steps">
              ${told.steps.map(
                (step) =>
                  html`<li>
                    <time datetime=${new Date(step.at_ms).toISOString()}>${clocks.moment(step.at_ms)}</time>
                    <span>${stepText(context, step)}${stepHint(context, step)}</span>
                  </li>`,
              )}
              ${(told.next ?? []).map(
                (row) =>
                  html`<li class="later">
                    <time datetime=${new Date(row.at_ms).toISOString()}>${clocks.moment(row.at_ms)}</time>
                    <span>${thenText(context, row)}${SAID.has(row.why.code) ? '' : html` <span class="hint">${word(t, 'oncall_why', row.why.code)}</span>`}</span>
                  </li>`,
              )}
            </ol>`
          : html`<p class="hint" role="status">${t(told === undefined ? 'alert_steps_asking' : 'alert_steps_offline')}</p>`,
      { label: t('alert_steps'), sheet: true, closeLabel: t('close') },
    );
    api.steps(head.id).then(
      (answer) => {
        told = answer;
        dialog.update();
      },
      () => {
        told = null;
        dialog.update();
      },
    );
  };

  /** @param {Head} head */
  const stepsButton = (head) =>
    html`<button class="button quiet" type="button" aria-haspopup="dialog" @click=${() => showSteps(head)}>${t('alert_steps')}</button>`;

  /** Nothing that is queued has reached a colleague yet, and she must know that. @param {boolean} pending */
  const waits = (pending) => {
    if (!pending) return '';
    const online = store.status().connection === 'online';
    return html`<p class="alert-waits">${icon('queue')}<span>${t(online ? 'alert_sending' : 'alert_waits')}</span></p>`;
  };

  /** @param {Head} head @param {Alert} alert @param {unknown} urgency */
  const open = (head, alert, urgency) => {
    const me = store.me().id;
    const later = (alert.snoozed ?? []).some(({ person, pending }) => person === me && pending);
    return html`<section class="alert" aria-label=${t('alert_open')}>
      <div class="alert-head"><h2>${icon('bell')}${t('alert_open')}</h2>${stepsButton(head)}</div>
      ${urgency}
      <ul>
        ${alertLines(context, alert, store.status().connection === 'online').map((line) => html`<li>${line}</li>`)}
      </ul>
      ${waits(later)}
      ${
        may(context, 'acknowledge')
          ? html`<div class="buttons">
              <button class="button primary" type="button" @click=${() => act(head, 'acknowledge', {})}>${icon('take')}${t('alert_take')}</button>
              <button class="button" type="button" @click=${() => act(head, 'snooze', { minutes: SNOOZE_MIN })}>${t('alert_later', { n: SNOOZE_MIN })}</button>
            </div>`
          : ''
      }
    </section>`;
  };

  /** @param {Alert} alert */
  const takenText = (alert) =>
    t('alert_taken', {
      who: nameFirst(context, alert.by),
      time: alert.at_ms ? clocks.moment(alert.at_ms) : '?',
    });

  /** @param {Head} head @param {Alert} alert */
  const taken = (head, alert) =>
    html`<section class="alert taken" aria-label=${t('alert_taken_label')}>
      <div class="alert-head"><p>${icon('done')}<span>${takenText(alert)}</span></p>${stepsButton(head)}</div>
      ${waits(Boolean(alert.pending))}
    </section>`;

  /** The button that she pressed goes away: a keyboard goes on from what stands in its place. */
  const keepFocus = () => {
    if (!document.activeElement?.closest('.alert')) return;
    setTimeout(() => {
      if (document.activeElement === document.body)
        /** @type {HTMLElement | null} */ (document.querySelector('.alert button'))?.focus();
    });
  };

  return {
    /** @param {Head} head @param {unknown} urgency why it is urgent */
    render(head, urgency) {
      const { alert } = head;
      const before = shown;
      shown = alert?.state ?? '';
      if (!alert || head.status === 'closed') return '';
      if (before === 'open' && alert.state === 'acknowledged') {
        context.announce(takenText(alert));
        keepFocus();
      }
      return alert.state === 'open' ? open(head, alert, urgency) : taken(head, alert);
    },
  };
}
