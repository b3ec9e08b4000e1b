/**
 * The messages of a conversation with their honest clocks.
 * @module
 */
import { html } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { word } from '../i18n.js';
import { audienceIcon } from './channels/audience.js';
import { mayBePostedByHand, openInX } from './channels/by-hand.js';
import { icon } from './icons.js';
import { areaName, may, personName, residentName } from './names.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Message} Message */
/** @typedef {import('./types.js').Head} Head */

const PAGE = 60;

/**
 * The four clocks of one outgoing message: a time, or why there is none. Pure.
 * @param {Pick<Message, 'written_ms' | 'accepted_ms' | 'delivery'>} message
 * @returns {{clock: 'written' | 'accepted' | 'sent' | 'delivered', ms: number | null, unknown: boolean}[]}
 */
export function fourClocks({ written_ms, accepted_ms, delivery }) {
  const unsure = delivery?.state === 'uncertain';
  return [
    { clock: 'written', ms: written_ms, unknown: false },
    { clock: 'accepted', ms: accepted_ms, unknown: false },
    { clock: 'sent', ms: delivery?.sent_ms ?? null, unknown: unsure },
    // Many channels never say whether something arrived: that is unknown, not "not yet".
    {
      clock: 'delivered',
      ms: delivery?.delivered_ms ?? null,
      unknown: unsure || delivery?.state === 'sent',
    },
  ];
}

/**
 * What a reader must know of a message beside its words: who else sent it, what is missing. Pure.
 * @param {Context['t']} t
 * @param {Pick<Message, 'from' | 'notices'>} message
 * @returns {string[]}
 */
export function remarks(t, { from, notices = [] }) {
  const said = notices.map((code) => word(t, 'notice', code));
  return from ? [t('sent_from', { address: from }), ...said] : said;
}

/**
 * @param {Context} context
 * @param {ReturnType<typeof import('./photos.js').createPhotos>} photos
 */
export function createTimeline(context, photos) {
  const { store, t, clocks } = context;
  let shown = PAGE;
  /** @type {Message[]} */
  let all = [];

  /** @param {Message} message */
  const state = (message) => {
    if (message.pending === 'waiting') {
      const fractions = message.attachments
        .map(({ id }) => store.status().uploads[id])
        .filter((part) => part !== undefined);
      return fractions.length
        ? t('message_waiting_photo', {
            n: Math.floor((100 * fractions.reduce((a, b) => a + b, 0)) / fractions.length),
          })
        : t('message_waiting');
    }
    if (message.pending) return word(t, 'message', message.pending);
    return message.d === 'out' && message.delivery
      ? word(t, 'delivery', message.delivery.state)
      : '';
  };

  /** @param {Message} message @param {Head} head */
  const trouble = (message, head) => {
    if (message.pending === 'held' || message.pending === 'rejected')
      return html`<p class="trouble">
        <a class="button" href="/outbox">${icon('look')}${t('look')}</a>
      </p>`;
    const failed = message.delivery?.state === 'failed';
    if (!failed && message.delivery?.state !== 'uncertain') return '';
    // She posted it there herself; the server may not know it yet.
    if (message.event?.what === 'by_hand') return '';
    /** @param {'sent' | 'retry' | 'failed' | 'by_hand'} outcome */
    const resolve = (outcome) => () =>
      store
        .enqueue({
          kind: 'resolve',
          conversation_id: head.id,
          based_on: head.position,
          payload: { message: message.id, outcome },
        })
        .catch(() => context.toast(t('failed')));
    const page = failed ? openInX(message, all) : null;
    return html`<div class="trouble">
      <p>${icon('urgent')}${failed ? t('failed_help') : t('uncertain_help')}${message.delivery?.error ? html` <span class="hint">${word(t, 'cause', message.delivery.error)}</span>` : ''}</p>
      ${
        may(context, 'reply')
          ? html`<div class="buttons">
            ${failed ? '' : html`<button class="button" @click=${resolve('sent')}>${t('resolve_sent')}</button>`}
            ${page ? html`<a class="button" href=${page} target="_blank" rel="noopener noreferrer">${t('open_in_x')}</a>` : ''}
            ${mayBePostedByHand(message) ? html`<button class="button" @click=${resolve('by_hand')}>${t('resolve_by_hand')}</button>` : ''}
            <button class="button" @click=${resolve('retry')}>${t('resolve_retry')}</button>
            ${failed ? '' : html`<button class="button" @click=${resolve('failed')}>${t('resolve_failed')}</button>`}
          </div>`
          : ''
      }
    </div>`;
  };

  /** Who can read it there, and where. @param {Message} message */
  const atChannel = (message) =>
    html`${message.public === undefined ? '' : html` · ${audienceIcon(message.public)}${t(message.public ? 'message_public' : 'message_private')}`}${
      message.link && !message.deleted_ms
        ? html` · <a href=${message.link} target="_blank" rel="noopener noreferrer">${t('message_page')}</a>`
        : ''
    }`;

  /** @param {Message} message */
  const stamp = (message) => {
    const said = state(message);
    const time = html`<time datetime=${new Date(message.written_ms).toISOString()}>${clocks.time(message.written_ms)}</time>`;
    if (message.event?.what === 'by_hand') {
      const { from, to } = message.event;
      const by =
        from === store.me().id ? t('by_you') : from ? personName(context, from) : null;
      // What Stoep tried before somebody else posted it is over.
      const waits = message.pending ? said : '';
      return html`<p class="stamp">${time} · ${by ? t('by_hand_stamp_by', { who: by, time: clocks.moment(to) }) : t('by_hand_stamp')}${waits ? html` · ${waits}` : ''}</p>`;
    }
    if (message.d !== 'out')
      return html`<p class="stamp">${time}${message.changed_ms ? ` · ${t('message_changed', { time: clocks.moment(message.changed_ms) })}` : ''}${said ? html` · ${said}` : ''}${atChannel(message)}</p>`;
    return html`<details class="stamp">
      <summary>${time}${said ? html`&nbsp;· <span class="said ${message.pending ?? message.delivery?.state ?? ''}">${said}</span>` : ''}</summary>
      <dl>
        ${fourClocks(message).map(
          ({ clock, ms, unknown }) =>
            html`<div><dt>${t(`clock_${clock}`)}</dt><dd>${ms ? clocks.moment(ms) : unknown ? t('clock_unknown') : t('clock_not_yet')}</dd></div>`,
        )}
      </dl>
    </details>`;
  };

  /** @param {Message} message */
  const eventLine = (message) => {
    const { what, to } = message.event ?? { what: '', to: null };
    const who = message.by
      ? message.by === store.me().id
        ? t('You')
        : personName(context, message.by)
      : t('event_by_system');
    if (what === 'status') return t('event_status', { who, to: word(t, 'status', to) });
    if (what === 'assign')
      return to
        ? t('event_assign', { who, to: personName(context, to) })
        : t('event_release', { who });
    if (what === 'area') return t('event_area', { who, to: areaName(context, to) });
    if (what === 'edited' || what === 'deleted') return t(`event_${what}`);
    if (what === 'acknowledged') return t('event_acknowledged', { who });
    if (what === 'urgent') return t(to ? 'event_urgent' : 'event_urgent_off', { who });
    return what === 'topics' ? t('event_topics', { who }) : message.text;
  };

  /** Where something that was copied by hand comes from, and who copied it. @param {Message} message */
  const copied = ({ event, entry, by }) => {
    const told = event?.what === 'contact' ? event.to : entry?.payload;
    const source = event?.from === 'group' || entry?.payload.via === 'group' ? told?.source : null;
    if (!source) return '';
    const who = by && by !== store.me().id ? personName(context, by) : t('by_you');
    const place = [word(t, 'source', source), told?.group].filter(Boolean).join(' · ');
    return t('copied_from', { place, who });
  };

  /** @param {Message} message @param {Head} head @param {Message | undefined} before */
  const one = (message, head, before) => {
    const day =
      !before || !clocks.sameDay(before.written_ms, message.written_ms)
        ? html`<li class="day"><span>${clocks.day(message.written_ms)}</span></li>`
        : '';
    if (message.d === 'event')
      return html`${day}
        <li class="event" id="m-${message.id}"><span>${eventLine(message)}</span> <time>${clocks.time(message.written_ms)}</time></li>`;
    const author =
      message.d === 'in'
        ? (message.name ?? residentName(context, head))
        : message.by
          ? message.by === store.me().id
            ? t('You')
            : personName(context, message.by)
          : (message.name ?? t('someone'));
    return html`${day}
      <li class="message ${message.d} ${message.pending ? 'pending' : ''}" id="m-${message.id}">
        <div class="bubble">
          <p class="author">${message.d === 'note' ? html`${icon('note')}<span>${t('note_only')} · ${author}</span>` : author}</p>
          ${
            message.erased
              ? html`<p class="hint">${t('erased')}</p>`
              : message.deleted_ms
                ? html`<p class="hint">${t('message_deleted', { time: clocks.moment(message.deleted_ms) })}</p>`
                : html`<p class="text" dir="auto">${message.text}</p>`
          }
          ${copied(message) ? html`<p class="hint remark">${copied(message)}</p>` : ''}
          ${remarks(t, message).map((said) => html`<p class="hint remark">${said}</p>`)}
          ${
            message.quoted
              ? html`<details class="quoted">
                <summary>${t('quoted')}</summary>
                <p class="text" dir="auto">${message.quoted}</p>
              </details>`
              : ''
          }
          ${message.attachments?.length ? html`<div class="photos">${message.attachments.map((photo) => photos.render(photo, author))}</div>` : ''}
          ${stamp(message)}
        </div>
        ${trouble(message, head)}
      </li>`;
  };

  return {
    reset() {
      shown = PAGE;
    },
    /** @param {Head} head @param {Message[]} messages */
    render(head, messages) {
      all = messages;
      const visible = messages.slice(-shown);
      const earlier = messages.length - visible.length;
      return html`${
        earlier
          ? html`<button class="button quiet earlier" @click=${() => ((shown += PAGE * 4), context.draw())}>${t('earlier', { n: earlier })}</button>`
          : ''
      }
        <ol class="timeline">
          ${repeat(
            visible,
            (message) => message.id,
            (message, index) => one(message, head, visible[index - 1]),
          )}
        </ol>
        ${head.rating ? html`<p class="event">${head.rating > 0 ? t('rated_good') : t('rated_bad')}</p>` : ''}`;
    },
  };
}
