/**
 * What a push says, what is shown for it, and when that is over. Pure: the worker shows, the page and the worker take away.
 */

/** @import { Head } from './types.js' */

/** A notification that only says how things stand is taken away by itself after this. */
export const QUIET_MS = 10_000;
export const SNOOZE_MINUTES = 15;
/** No pull that began before a notification takes so long. */
const SETTLED_MS = 60_000;
const MAX_TITLE_CHARS = 120;
const MAX_BODY_CHARS = 400;

/**
 * @typedef {'urgent'|'news'|'warning'|'test'|'closed'|'unreadable'} PushKind
 *
 * @typedef {object} Push  What came, checked; only `kind` is always there.
 * @property {PushKind} kind
 * @property {string|null} conversation
 * @property {{push: string, report: string}|null} proof  what the server wants back once it was shown
 * @property {string} title
 * @property {string} body
 * @property {string} path  where a tap leads
 * @property {number|null} badge
 *
 * @typedef {'alarm'|'news'|'plain'|'quiet'|'queued'} What
 *
 * @typedef {object} Mark  What a notification carries along (`Notification.data`).
 * @property {1} v
 * @property {What} what
 * @property {string|null} c  conversation
 * @property {string|null} person  whose phone it was when it was shown
 * @property {string} path
 * @property {number|null} position  of the conversation as she could see it
 * @property {number} s  the newest state of the conversation that this phone knew
 * @property {boolean} fresh  that state was fetched for this notification
 * @property {number} at_ms
 *
 * @typedef {{title: string, options: NotificationOptions & Record<string, any> & {data: Mark}}} Shown
 *
 * @typedef {(key: import('./sw/words.js').Word) => string} Say
 */

/**
 * Read what came. Everything in it is hostile: of what is not as agreed nothing is taken over.
 * @param {unknown} given  the parsed payload, or what a browser made of it
 * @param {(path: string) => boolean} isOurs  paths that a tap may lead to
 * @returns {Push}
 */
export function readPush(given, isOurs) {
  const whole = record(given);
  const said = record(whole.notification);
  const own = { ...whole, ...record(said.data) };
  const known = own.v === 1 && ['urgent', 'news', 'warning', 'test', 'closed'].includes(own.kind);
  const conversation = known && isId(own.c) ? own.c : null;
  const asked = typeof said.navigate === 'string' ? pathOf(said.navigate) : '';
  return {
    kind: known ? own.kind : 'unreadable',
    conversation,
    proof:
      known && isId(own.push) && isToken(own.report)
        ? { push: own.push, report: own.report }
        : null,
    title: known ? text(said.title, MAX_TITLE_CHARS) : '',
    body: known ? text(said.body, MAX_BODY_CHARS) : '',
    path: conversation ? `/c/${conversation}` : known && isOurs(asked) ? asked : '/',
    badge:
      known && Number.isSafeInteger(own.app_badge) && own.app_badge >= 0 ? own.app_badge : null,
  };
}

/**
 * Nobody needs to be woken for it any more.
 * @param {Head} head  with the outbox laid over it
 */
export function isOver({ status, urgent, alert }) {
  return status === 'closed' || !urgent || alert === null || alert?.state === 'acknowledged';
}

/**
 * Should this notification go, now that this is known of its conversation? What is older than the notification says
 * nothing about it. That it is not there says that it is no longer hers, once all that she may see has been fetched.
 * @param {Mark} mark
 * @param {Head|null} head
 * @param {number} now
 * @param {number} whole_ms  when this phone last had all that she may see; 0 = it lacks something
 */
export function isPast(mark, head, now, whole_ms) {
  if (mark.what === 'quiet') return now - mark.at_ms >= QUIET_MS;
  if (mark.what === 'plain') return false;
  if (!head) {
    if (mark.what === 'queued' || mark.c === null || !whole_ms) return false;
    return mark.s > 0 || whole_ms - mark.at_ms > SETTLED_MS;
  }
  if (mark.what === 'news') {
    const newer = mark.fresh ? head.s >= mark.s : whole_ms > mark.at_ms;
    return newer && (!head.unread || head.status === 'closed');
  }
  if (mark.what === 'queued') return !head.pending;
  if (mark.fresh) return head.s >= mark.s && isOver(head);
  return head.s > mark.s && (head.status === 'closed' || head.alert?.state === 'acknowledged');
}

/**
 * What to show. Something always: browsers end the subscription of who is silent.
 * @param {Push} push
 * @param {{head: Head|null, s?: number, fresh: boolean, person: string|null, now: number}} known  `head` with the outbox
 *   over it; `s` of the state that the phone had before, when nothing could be fetched
 * @param {Say} say
 * @returns {Shown}
 */
export function compose(push, { head, s = 0, fresh, person, now }, say) {
  const over = push.kind === 'urgent' && fresh && head !== null && isOver(head);
  /** @type {What} */
  const what =
    push.kind === 'urgent' && !over
      ? 'alarm'
      : push.kind === 'news'
        ? 'news'
        : push.kind === 'unreadable' || push.kind === 'warning'
        ? 'plain'
        : 'quiet';
  const title = over ? say('taken') : push.title || say(push.kind);
  const body = over ? push.title : push.body || (push.kind === 'unreadable' ? say('look') : '');
  return {
    title,
    options: {
      body,
      ...dress(push.conversation ?? push.kind, say('language')),
      silent: what === 'quiet',
      renotify: what === 'alarm' || what === 'news',
      requireInteraction: what === 'alarm',
      actions:
        what === 'alarm' && push.conversation && person
          ? [
              { action: 'acknowledge', title: say('acknowledge') },
              { action: 'snooze', title: say('snooze') },
            ]
          : [],
      data: {
        v: 1,
        what,
        c: push.conversation,
        person,
        path: push.path,
        position: head?.position ?? null,
        s: head?.s ?? s,
        fresh,
        at_ms: now,
      },
    },
  };
}

/**
 * What became of a tap on an action, when that is worth saying.
 * @param {import('./sw/words.js').Word} title
 * @param {import('./sw/words.js').Word} body
 * @param {Mark} mark  of the notification that was tapped
 * @param {What} what
 * @param {number} now
 * @param {Say} say
 * @returns {Shown}
 */
export function followUp(title, body, mark, what, now, say) {
  return {
    title: say(title),
    options: {
      body: say(body),
      ...dress(mark.c ?? 'stoep', say('language')),
      silent: what !== 'plain',
      renotify: what === 'plain',
      data: { ...mark, what, at_ms: now },
    },
  };
}

/** What a notification carries, when it is one of ours. @param {unknown} data @returns {Mark|null} */
export function readMark(data) {
  const mark = record(data);
  if (mark.v !== 1 || typeof mark.what !== 'string') return null;
  return /** @type {Mark} */ ({ ...mark, c: isId(mark.c) ? mark.c : null });
}

/** How many urgent conversations she has not seen yet. @param {Head[]} heads */
export const urgentUnread = (heads) =>
  heads.filter((head) => head.urgent && head.unread && head.status !== 'closed').length;

/** @param {string} tag @param {string} lang */
const dress = (tag, lang) => ({
  tag,
  lang,
  icon: '/static/icons/icon-192.png',
  badge: '/static/icons/icon-192.png',
});

/** @param {unknown} value @returns {Record<string, any>} */
const record = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};

/** @param {unknown} value @param {number} max */
const text = (value, max) =>
  typeof value === 'string' ? [...value.replace(/\s+/g, ' ').trim()].slice(0, max).join('') : '';

/** @param {unknown} value @returns {value is string} */
const isId = (value) => typeof value === 'string' && /^[0-9a-f-]{36}$/.test(value);

/** @param {unknown} value @returns {value is string} */
const isToken = (value) => typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value);

/** @param {string} address */
function pathOf(address) {
  try {
    return new URL(address, 'https://stoep.invalid').pathname;
  } catch {
    return '';
  }
}
