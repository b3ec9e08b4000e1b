/**
 * Everything this phone still holds: what waits, what a person must look at first, what the server refused.
 * @module
 */
import { html } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { word } from '../i18n.js';
import { isTooLate, timeLeft } from './channels/audience.js';
import { confirm } from './dialogs.js';
import { heldUp } from './held-up.js';
import { icon } from './icons.js';
import { areaName, may, personName, residentName } from './names.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').OutboxEntry} OutboxEntry */
/** @typedef {import('./types.js').Head} Head */

const WITH_TEXT = new Set(['reply', 'note', 'contact']);
/** What can be taken back although it may be on its way. */
const RETRACTABLE = new Set(['reply', 'note']);

/** Save a blob under a name. @param {Blob} blob @param {string} name */
export function saveFile(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** @param {Context} context */
export function createOutbox(context) {
  const { store, t, clocks, draw, go, toast } = context;
  /** @type {OutboxEntry[] | null} */
  let entries = null;
  /** @type {Map<string, Head>} */
  let heads = new Map();
  let over = false;

  const load = async () => {
    const all = await store.outbox();
    const wanted = [...new Set(all.map((entry) => entry.conversation_id))];
    const known = await Promise.all(wanted.map((id) => store.conversation(id).catch(() => null)));
    if (over) return;
    heads = new Map(known.flatMap((one) => (one?.head ? [[one.head.id, one.head]] : [])));
    // Accepted ones only wait for the feed to bring them back; there is nothing left to do or to lose.
    entries = all.filter((entry) => entry.state !== 'accepted');
    draw();
  };
  const unsubscribe = store.subscribe(() => void load());
  const first = load();

  /** @param {OutboxEntry} entry */
  const what = ({ kind, payload }) => {
    if (kind === 'status') return t('op_status', { value: word(t, 'status', payload.status) });
    if (kind === 'assign') return t('op_assign', { value: personName(context, payload.person) });
    if (kind === 'area') return t('op_area', { value: areaName(context, payload.area) });
    if (kind === 'urgent') return t(payload.urgent ? 'op_urgent' : 'op_urgent_off');
    return word(t, 'op', kind);
  };

  /** @param {OutboxEntry} entry */
  const who = ({ conversation_id, payload }) => {
    const head = heads.get(conversation_id);
    return head ? residentName(context, head) : payload.name || t('unknown_name');
  };

  /** @param {OutboxEntry} entry */
  const discard = async (entry) => {
    const text = WITH_TEXT.has(entry.kind) ? entry.payload.text : '';
    if (
      !(await confirm(context, {
        title: t('discard_ask'),
        text: `${text ? `“${text.slice(0, 120)}” ` : ''}${t('discard_ask_help')}`,
        yes: t('discard'),
        danger: true,
      }))
    )
      return;
    try {
      if (onItsWay(entry)) await store.takeBack(entry.op_id, { edit: false });
      else await store.discard(entry.op_id);
    } catch {
      toast(t('maybe_sent'));
    }
  };

  /** Back to the field where it was written. @param {OutboxEntry} entry */
  const edit = async (entry) => {
    try {
      if (onItsWay(entry)) await store.takeBack(entry.op_id, { edit: true });
      else await store.edit(entry.op_id);
      go(entry.kind === 'contact' ? '/new' : `/c/${entry.conversation_id}`);
    } catch {
      toast(t('maybe_sent'));
      void load();
    }
  };

  /** What its channel takes even when its time for answers is over. @param {OutboxEntry} entry */
  const approvedFor = ({ kind, conversation_id }) => {
    const account = heads.get(conversation_id)?.account;
    return kind === 'reply' && account && may(context, 'reply')
      ? (store.ref('account', account)?.approved ?? [])
      : [];
  };

  /** An approved text in its stead, or another one. @param {OutboxEntry} entry */
  const choose = (entry) =>
    void import('./channels/approved.js').then(({ openApproved }) =>
      openApproved(context, {
        head: () => /** @type {Head} */ (heads.get(entry.conversation_id)),
        texts: approvedFor(entry),
        instead: entry,
        basedOn: () => seen(entry, heads.get(entry.conversation_id)?.position ?? 0),
      }),
    );

  /** The channel takes these words no more. @param {OutboxEntry} entry */
  const tooLate = (entry) =>
    isTooLate(entry, heads.get(entry.conversation_id)?.answer_by_ms, context.now());

  /** @param {OutboxEntry} entry */
  const inItsStead = (entry) =>
    tooLate(entry) && approvedFor(entry).length
      ? html`<button class="button primary" type="button" aria-haspopup="dialog" @click=${() => choose(entry)}>${icon('template')}${t('approved_instead')}</button>`
      : '';

  /** @param {OutboxEntry} entry @param {Parameters<typeof t>[0]} label */
  const editButton = (entry, label) =>
    html`<button class="button" @click=${() => (entry.payload.approved && approvedFor(entry).length ? choose(entry) : edit(entry))}>${t(label)}</button>`;

  /** It was tried and has no answer: only the server can tell whether it arrived. @param {OutboxEntry} entry */
  const onItsWay = (entry) => entry.state === 'waiting' && entry.attempts > 0;

  /** It goes as a new operation that names what she has now seen. @param {OutboxEntry} entry */
  const anyway = async (entry) => {
    try {
      const conversation = await store.conversation(entry.conversation_id);
      const based_on = seen(entry, conversation.head?.position ?? 0);
      await store.sendAnyway(entry.op_id, { based_on });
    } catch {
      toast(t('failed_try'));
    }
  };

  /** The highest position that this screen showed her. @param {OutboxEntry} entry @param {number} position */
  const seen = (entry, position) =>
    Math.max(
      position,
      entry.based_on ?? 0,
      ...(entry.result?.changed ?? []).map((message) => message.position ?? 0),
    );

  const exported = async () => {
    saveFile(
      await store.exportOutbox(),
      `stoep-wachtrij-${new Date(context.now()).toISOString().slice(0, 10)}.json`,
    );
  };

  /** @param {OutboxEntry} entry */
  const meta = (entry) =>
    html`<p class="hint">
      ${t('written_at', { time: clocks.moment(entry.written_at_ms) })}${entry.attempts ? html` · ${t('tried', { n: entry.attempts })}` : ''}
    </p>`;

  /** @param {OutboxEntry} entry */
  const heading = (entry) =>
    html`<h3><a href="/c/${entry.conversation_id}">${who(entry)}</a> <span class="tag">${what(entry)}</span></h3>`;

  /** @param {NonNullable<import('./types.js').Message['event']>} event */
  const happened = ({ what, to }) =>
    what === 'edited' || what === 'deleted' ? t(`event_${what}`) : word(t, 'status', to);

  /** Until when the channel takes this reply. @param {OutboxEntry} entry */
  const left = (entry) => {
    const until_ms = heads.get(entry.conversation_id)?.answer_by_ms;
    if (entry.kind !== 'reply' || entry.payload.approved || until_ms === undefined) return '';
    const said = tooLate(entry) ? t('why_window') : timeLeft(t, until_ms, context.now());
    return html`<p class="audience soon">${icon('clock')}${said}</p>`;
  };

  /** @param {OutboxEntry} entry */
  const held = (entry) => {
    const changed = entry.result?.changed ?? [];
    const text = WITH_TEXT.has(entry.kind);
    return html`<li class="card look">
      ${heading(entry)}
      <p>${word(t, 'held', entry.result?.reason)}</p>
      <div class="sides">
        <div>
          <h4>${t('changed_meanwhile')}</h4>
          ${
            changed.length
              ? changed.map(
                  (message) =>
                    html`<div class="message ${message.d}">
                    <div class="bubble">
                      <p class="author">${message.d === 'in' ? (message.name ?? who(entry)) : personName(context, message.by)} · <time>${clocks.moment(message.written_ms)}</time></p>
                      <p class="text" dir="auto">${message.text || (message.event ? happened(message.event) : '')}</p>
                    </div>
                  </div>`,
                )
              : html`<p class="hint"><a href="/c/${entry.conversation_id}">${t('look')}</a></p>`
          }
        </div>
        <div>
          <h4>${text ? t('your_text') : what(entry)}</h4>
          ${text ? html`<div class="message out"><div class="bubble"><p class="text" dir="auto">${entry.payload.text}</p></div></div>` : ''} ${meta(entry)}
        </div>
      </div>
      <div class="buttons">
        <button class="button primary" @click=${() => anyway(entry)}>${t(text ? 'send_anyway' : 'do_anyway')}</button>
        ${text ? editButton(entry, 'change') : ''}
        <button class="button danger" @click=${() => discard(entry)}>${t('discard')}</button>
      </div>
    </li>`;
  };

  /** @param {OutboxEntry} entry */
  const rejected = (entry) =>
    html`<li class="card problem-card">
      ${heading(entry)}
      <p>${reasonText(entry.result?.reason)}</p>
      ${entry.payload.text ? html`<p class="text quote" dir="auto">${entry.payload.text}</p>` : ''} ${meta(entry)}
      <div class="buttons">
        ${inItsStead(entry)} ${WITH_TEXT.has(entry.kind) ? editButton(entry, 'change') : ''}
        <button class="button danger" @click=${() => discard(entry)}>${t('discard')}</button>
      </div>
    </li>`;

  /** @param {string | undefined} reason */
  const reasonText = (reason) => {
    const said = word(t, 'rejected', reason ?? 'other');
    return said === (reason ?? 'other') ? t('rejected_other') : said;
  };

  /** @param {OutboxEntry} entry */
  const waiting = (entry) => {
    const tried = entry.attempts > 0;
    const why = heldUp(entries ?? [], entry);
    const uploads = store.status().uploads;
    const parts = (entry.payload.attachments ?? []).filter(
      (/** @type {string} */ id) => uploads[id] !== undefined,
    );
    return html`<li class="card">
      ${heading(entry)} ${entry.payload.text ? html`<p class="text clamp" dir="auto">${entry.payload.text}</p>` : ''} ${meta(entry)} ${left(entry)}
      ${
        parts.length
          ? html`<progress
            aria-label=${t('photo_progress')}
            max="1"
            .value=${parts.reduce((/** @type {number} */ sum, /** @type {string} */ id) => sum + (uploads[id] ?? 0), 0) / parts.length}
          ></progress>`
          : ''
      }
      ${why ? html`<p class="audience soon">${icon('look')}${t(why)}</p>` : ''}
      ${tried ? html`<p class="hint">${t(RETRACTABLE.has(entry.kind) ? 'maybe_sent_text' : 'maybe_sent')}</p>` : ''}
      <div class="buttons">
        ${inItsStead(entry)}
        ${!tried || RETRACTABLE.has(entry.kind) ? html`${WITH_TEXT.has(entry.kind) ? editButton(entry, 'edit') : ''}
              <button class="button danger quiet" @click=${() => discard(entry)}>${t('discard')}</button>` : ''}
      </div>
    </li>`;
  };

  /** @param {OutboxEntry[]} list @param {(entry: OutboxEntry) => unknown} one */
  const cards = (list, one) =>
    html`<ul class="cards">
      ${repeat(list, (entry) => entry.op_id, one)}
    </ul>`;

  return {
    first,
    title: () => t('outbox'),
    leave() {
      over = true;
      unsubscribe();
    },
    render() {
      if (!entries) return html`<section class="page" aria-busy="true"></section>`;
      const { connection } = store.status();
      const look = entries.filter((entry) => entry.state === 'held');
      const refused = entries.filter((entry) => entry.state === 'rejected');
      const wait = entries.filter((entry) => entry.state === 'waiting');
      return html`<section class="page">
        <h1 tabindex="-1">${t('outbox')}</h1>
        ${
          entries.length
            ? html`<p class="hint">${t('outbox_help')}</p>
              <div class="buttons">
                ${wait.length ? html`<button class="button primary" @click=${() => store.sendNow()}>${icon('send')}${t('send_now')}</button>` : ''}
                <button class="button" title=${t('export_help')} @click=${exported}>${t('export')}</button>
              </div>`
            : html`<div class="empty">${icon('done')}<h2>${t('outbox_empty')}</h2><p>${t('outbox_empty_help')}</p></div>`
        }
        ${look.length ? html`<h2>${icon('look')}${t('look_first')}</h2><p class="hint">${t('look_first_help')}</p>${cards(look, held)}` : ''}
        ${refused.length ? html`<h2>${icon('urgent')}${t('rejected')}</h2>${cards(refused, rejected)}` : ''}
        ${
          wait.length
            ? html`<h2>${icon('queue')}${t('message_waiting')}</h2>
              ${connection === 'online' ? '' : html`<p class="hint">${t(connection === 'signed_out' ? 'outbox_signed_out' : 'outbox_offline')}</p>`}
              ${cards(wait, waiting)}`
            : ''
        }
      </section>`;
    },
  };
}
