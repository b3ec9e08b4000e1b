/**
 * One conversation: head, timeline, composer.
 * @module
 */
import { html } from 'lit-html';
import { guard } from 'lit-html/directives/guard.js';
import { word } from '../i18n.js';
import { createAlert } from './alert.js';
import { createComposer } from './composer.js';
import { openDetails } from './details.js';
import { channelIcon, icon } from './icons.js';
import { createActions } from './actions.js';
import { areaName, channelName, may, personName, residentName } from './names.js';
import { createPhotos } from './photos.js';
import { createTimeline } from './timeline.js';
import { verdict } from './verdict.js';

/** @typedef {import('./types.js').Context} Context */

/** @param {Context} context @param {string} id */
export function createConversation(context, id) {
  const { store, t, draw } = context;
  /** @type {import('./types.js').Conversation | null | undefined} undefined = not read yet, null = not on this phone */
  let data;
  let version = 0;
  let opened = false;
  let loading = false;
  let over = false;
  /** @type {ReturnType<typeof openDetails> | null} */
  let details = null;
  /** Whether she is somebody whom we know from elsewhere; it comes after the messages. @type {ReturnType<typeof import('./same.js').createSame> | null} */
  let same = null;
  let asked = false;
  const lookElsewhere = async () => {
    if (asked) return;
    asked = true;
    try {
      const { createSame } = await import('./same.js');
      if (!over) same = createSame(context);
    } catch {
      asked = false; // not here yet, and no network: with the next news it is tried again
    }
  };
  const actions = createActions(context);
  const alert = createAlert(context);
  const photos = createPhotos({
    ...context,
    draw() {
      version++;
      draw();
    },
  });
  const timeline = createTimeline(
    {
      ...context,
      draw() {
        version++;
        draw();
      },
    },
    photos,
  );
  const composer = createComposer(context, id, photos);

  const markRead = () => {
    if (!data?.head.unread || document.visibilityState !== 'visible') return;
    void actions.read(data.head);
  };

  /** @type {(seen: any) => void} */
  let arrived;
  const first = new Promise((resolve) => (arrived = resolve));
  /** @param {{head: import('./types.js').Head | null, messages: import('./types.js').Message[], complete: boolean, loading: boolean}} seen */
  const show = (seen) => {
    if (over) return;
    const { head } = seen;
    data = head ? { ...seen, head } : null;
    loading = seen.loading;
    version++;
    details?.update();
    if (!opened && !(head && seen.complete)) {
      opened = true;
      // A page that isn't on the phone yet comes by itself when there is a network; the watcher hears of it.
      Promise.resolve(store.openConversation(id)).catch(() => undefined);
    }
    markRead();
    draw();
    arrived(null);
    if (head) void lookElsewhere();
  };
  const unwatch = store.watch(id, show);
  document.addEventListener('visibilitychange', markRead);

  return {
    first,
    id,
    composer,
    title: () => (data ? residentName(context, data.head) : t('inbox')),
    leave() {
      over = true;
      composer.flush();
      unwatch();
      document.removeEventListener('visibilitychange', markRead);
      details?.close();
      same?.leave();
    },
    finish() {
      if (data && may(context, 'assign')) void actions.finish(data.head);
    },
    render() {
      if (data === undefined || (!data && loading))
        return html`<section class="conversation" aria-busy="true"></section>`;
      if (!data)
        return html`<section class="conversation">
          <div class="conv-head"><a class="button quiet back" href="/" aria-label=${t('back')}>${icon('back')}</a></div>
          <div class="empty"><h1 tabindex="-1">${t('not_here')}</h1><p>${t('not_here_help')}</p><a class="button" href="/">${t('to_inbox')}</a></div>
        </section>`;
      const { head, messages, complete } = data;
      const urgency = verdict(context, head);
      // Why it is urgent stands with the question who takes it up, as long as that is open.
      const alerted = head.alert?.state === 'open' && head.status !== 'closed';
      const writers = store.writers(id).filter((person) => person !== store.me().id);
      return html`<section class="conversation" aria-label=${residentName(context, head)}>
        <header class="conv-head">
          <a class="button quiet back" href="/" aria-label=${t('back')}>${icon('back')}</a>
          <div class="conv-title">
            <h1 tabindex="-1">${residentName(context, head)}</h1>
            <p>${channelIcon(head.channel)}<span>${channelName(context, head)} · ${areaName(context, head.area)}</span></p>
          </div>
          <button class="button details" type="button" aria-haspopup="dialog" aria-label=${t('details')} @click=${() => {
            details = openDetails(context, () => data?.head);
            details.closed.then(() => (details = null));
          }}>
            ${icon('details')}<span>${t('details')}</span>
          </button>
        </header>
        <div class="conv-state">
          ${alerted ? '' : urgency}
          <div class="tags">
          <span class="tag">${word(t, 'status', head.status)}</span>
          <span class="tag">${icon('take')}${head.assignee ? (head.assignee === store.me().id ? t('You') : personName(context, head.assignee)) : t('unassigned')}</span>
          ${head.topics.map((topic) => html`<span class="tag topic">${topic}</span>`)}
          </div>
          ${
            may(context, 'assign')
              ? html`<span class="quick">
                ${head.assignee || alerted ? '' : html`<button class="button take" type="button" @click=${() => actions.take(head)}>${t('take')}</button>`}
                <button class="button" type="button" @click=${() => actions.finish(head)}>${head.status === 'closed' ? t('reopen') : t('finish')}</button>
              </span>`
              : ''
          }
        </div>
        ${alert.render(head, urgency)}
        ${same?.render(head, () => data?.head) ?? ''}
        <div class="conv-scroll" tabindex="0" role="region" aria-label=${t('stored_messages')}>
          <div class="conv-flow">
            ${head.subject && head.channel === 'email' ? html`<h2 class="subject">${head.subject}</h2>` : ''}
            ${guard([version, context.language, Object.values(store.status().uploads).join()], () => timeline.render(head, messages))}
            ${
              loading || !complete
                ? html`<p class="hint" role="status">${store.status().connection === 'online' ? t('loading_page') : t('page_offline')}</p>`
                : ''
            }
            <p class="writers" aria-live="polite">
              ${writers.length ? t('writing', { n: writers.length, names: writers.map((person) => personName(context, person)).join(', ') }) : ''}
            </p>
          </div>
        </div>
        ${composer.render(head)}
      </section>`;
    },
  };
}
