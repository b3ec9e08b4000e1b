/**
 * The list of conversations: filters, search, rows. Reads the store, fetches nothing.
 * @module
 */
import { html, nothing } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { guard } from 'lit-html/directives/guard.js';
import { word } from '../i18n.js';
import { channelIcon, icon } from './icons.js';
import { createActions } from './actions.js';
import { areaName, kindName, may, personName, residentName } from './names.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Head} Head */
/** @typedef {import('./types.js').Filter} Filter */

const PAGE = 50;
/** A short cut only, so the list is drawn without it. @type {typeof import('./swipe.js').watchSwipes} */
const watchSwipes = (list, options) =>
  void import('./swipe.js').then(
    (swipe) => swipe.watchSwipes(list, options),
    () => undefined, // a file that did not come; each action is a button too
  );
const SERVER_PAUSE_MS = 400;
/** @type {Filter[]} */
const FILTERS = ['all', 'mine', 'urgent', 'unassigned', 'waiting', 'closed'];

/** @param {Context} context */
export function createInbox(context) {
  const { store, t, clocks, draw } = context;
  const actions = createActions(context);
  const asked = new URLSearchParams(location.search).get('filter');
  /** @type {Filter} */
  let filter = FILTERS.find((name) => name === asked) ?? 'all';
  let area = '';
  let channel = '';
  let shown = PAGE;
  let narrowing = false;
  let version = 0;
  /** @type {string | null} */
  let opened = null;

  let query = '';
  /** @type {import('./types.js').Found[]} */
  let found = [];
  /** @type {Set<string>} */
  let onlyServer = new Set();
  /** @type {'phone' | 'phone_only' | 'asking' | 'both' | 'failed'} */
  let searched = 'phone';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pause;
  let round = 0;

  store.subscribe(() => version++);

  const changed = () => {
    shown = PAGE;
    version++;
    document.querySelector('.list-scroll')?.scrollTo(0, 0);
    draw();
  };

  /** @param {string} text */
  const search = async (text) => {
    query = text;
    const mine = ++round;
    clearTimeout(pause);
    const wanted = text.trim();
    if (!wanted) {
      found = [];
      return changed();
    }
    const local = await store.searchLocal(wanted);
    if (mine !== round) return;
    found = local;
    onlyServer = new Set();
    const online = store.status().connection === 'online';
    searched = online ? 'asking' : 'phone_only';
    changed();
    if (!online) return;
    pause = setTimeout(async () => {
      try {
        const remote = await store.searchServer(wanted);
        if (mine !== round) return;
        const here = new Set(local.map(({ head }) => head.id));
        const added = remote.filter(({ head }) => !here.has(head.id));
        onlyServer = new Set(added.map(({ head }) => head.id));
        found = [...local, ...added];
        searched = 'both';
      } catch {
        if (mine !== round) return;
        searched = store.status().connection === 'online' ? 'failed' : 'phone_only';
      }
      version++;
      draw();
    }, SERVER_PAUSE_MS);
  };

  /** @returns {Head[]} */
  const heads = () =>
    query.trim()
      ? found.map(({ head }) => head)
      : store.list({ filter, area: area || undefined, channel: channel || undefined });

  /** @param {string} id */
  const head = (id) => heads().find((candidate) => candidate.id === id);

  const chips = () => {
    const counts = store.counts();
    return html`<div class="chips" role="group" aria-label=${t('filters')}>
      ${FILTERS.map(
        (name) =>
          html`<button
            class="chip ${name}"
            type="button"
            aria-pressed=${filter === name ? 'true' : 'false'}
            @click=${() => {
              filter = name;
              history.replaceState(
                history.state,
                '',
                name === 'all' ? location.pathname : `${location.pathname}?filter=${name}`,
              );
              changed();
            }}
          >
            ${t(`filter_${name}`)}${counts[name] ? html` <span class="number">${counts[name]}</span>` : ''}
          </button>`,
      )}
    </div>`;
  };

  const narrow = () => {
    const channels = [...new Set(store.list({ filter: 'all' }).map((one) => one.channel))].sort();
    const areas = [...new Set(store.list({ filter: 'all' }).map((one) => one.area))]
      .map((code) => ({ code, name: areaName(context, code) }))
      .sort((a, b) => a.name.localeCompare(b.name));
    return html`<div class="narrow">
      <label class="field"
        ><span>${t('area')}</span>
        <select
          @change=${(/** @type {Event} */ event) => {
            area = /** @type {HTMLSelectElement} */ (event.target).value;
            changed();
          }}
        >
          <option value="">${t('all_areas')}</option>
          ${areas.map((one) => html`<option value=${one.code} ?selected=${one.code === area}>${one.name}</option>`)}
        </select></label
      >
      <label class="field"
        ><span>${t('channel')}</span>
        <select
          @change=${(/** @type {Event} */ event) => {
            channel = /** @type {HTMLSelectElement} */ (event.target).value;
            changed();
          }}
        >
          <option value="">${t('all_channels')}</option>
          ${channels.map((one) => html`<option value=${one} ?selected=${one === channel}>${kindName(context, one)}</option>`)}
        </select></label
      >
    </div>`;
  };

  /** In a line of the list a colleague's first name is enough. @param {string} name */
  const firstName = (name) => name.split(' ', 1)[0];

  /** @param {Head} one */
  const previewBy = (one) =>
    one.preview_by === 'out'
      ? t('preview_out')
      : one.preview_by === 'note'
        ? t('preview_note')
        : '';

  /** @param {Head} one @param {string | undefined} current */
  const row = (one, current) => {
    const name = residentName(context, one);
    const by = previewBy(one);
    const waited =
      one.status !== 'closed' && one.waiting_since_ms ? clocks.waited(one.waiting_since_ms) : '';
    const mine = one.assignee === store.me().id;
    return html`<li class="row ${one.unread ? 'unread' : ''} ${one.urgent ? 'is-urgent' : ''}" data-id=${one.id}>
      <div class="slide">
        <a class="row-link" href="/c/${one.id}" aria-current=${one.id === current ? 'page' : nothing}>
          <span class="row-top">
            ${one.unread ? html`<span class="sr">${t('unread')}</span>` : ''}
            <span class="who">${name}</span>
            <time datetime=${new Date(one.activity_ms).toISOString()}>${clocks.short(one.activity_ms)}</time>
          </span>
          ${
            one.urgent
              ? html`<span class="row-urgent"
                  >${icon('urgent')}<span>${t('urgent')}${one.urgent_reason ? `: ${one.urgent_reason}` : ''}</span>${one.alert?.state === 'open' ? html`<span class="alert-mark">${icon('bell')}${t('alert_mark')}</span>` : ''}</span
                >`
              : ''
          }
          <span class="row-text">${by ? html`<span class="by">${by}</span> ` : ''}${one.preview || one.subject || ''}</span>
          <span class="row-meta">
            ${channelIcon(one.channel)}<span class="sr">${kindName(context, one.channel)}</span>
            <span class="area">${areaName(context, one.area)}</span>
            <span class="assignee ${mine ? 'mine' : ''}">${one.assignee ? (mine ? t('You') : firstName(personName(context, one.assignee))) : t('unassigned')}</span>
            ${
              one.status === 'waiting' || one.status === 'closed' || one.status === 'reopened'
                ? html`<span class="tag">${word(t, 'status', one.status)}</span>`
                : waited
                  ? html`<span class="tag">${t('waits', { time: waited })}</span>`
                  : ''
            }
            ${one.pending ? html`<span class="tag">${icon('queue')}<span class="sr">${t('message_waiting')}</span></span>` : ''}
            ${onlyServer.has(one.id) ? html`<span class="tag">${t('from_server')}</span>` : ''}
          </span>
        </a>
        <button
          class="row-more"
          type="button"
          aria-expanded=${opened === one.id ? 'true' : 'false'}
          aria-label=${t('row_actions', { name })}
          @click=${() => {
            opened = opened === one.id ? null : one.id;
            version++;
            draw();
          }}
        >
          ${icon('more')}
        </button>
      </div>
      ${
        opened === one.id
          ? html`<div class="row-actions">
            ${one.unread ? button('read', t('mark_read'), one) : ''}
            ${may(context, 'assign') ? button('take', t(actions.taking(one)), one) : ''}
            ${may(context, 'assign') ? button('done', one.status === 'closed' ? t('reopen') : t('finish'), one) : ''}
          </div>`
          : ''
      }
    </li>`;
  };

  /** @param {'read' | 'take' | 'done'} what @param {string} label @param {Head} one */
  const button = (what, label, one) =>
    html`<button
      class="button"
      type="button"
      @click=${() => {
        opened = null;
        void actions[what === 'done' ? 'finish' : what](one);
        draw();
      }}
    >
      ${icon(what)}${label}
    </button>`;

  const empty = () => {
    if (query.trim())
      return html`<div class="empty"><h2>${t('empty_search')}</h2><p>${t(searched === 'both' ? 'empty_search_both' : 'empty_search_help')}</p></div>`;
    // Until all of it is here, that there is nothing is not known.
    if (!store.status().lastInStepMs)
      return html`<div class="empty"><h2>${t('empty_first')}</h2></div>`;
    if (area || channel)
      return html`<div class="empty">
        <h2>${t('empty_narrow')}</h2>
        <button
          class="button"
          @click=${() => {
            area = channel = '';
            changed();
          }}
        >
          ${t('show_all')}
        </button>
      </div>`;
    return html`<div class="empty">
      <h2>${t(`empty_${filter}`)}</h2>
      <p>${t(`empty_${filter}_help`)}</p>
      ${filter === 'all' ? html`<a class="button" href="/new">${icon('plus')}${t('nav_new')}</a>` : ''}
    </div>`;
  };

  /** @type {IntersectionObserver | undefined} */
  let observer;
  /** @type {Element | null} */
  let observed = null;
  /** @type {Element | null} */
  let swiped = null;

  return {
    title: () => t('inbox'),
    /** @param {string} [current] id of the conversation in the other pane */
    render(current) {
      return html`<section class="list" aria-label=${t('inbox')}>
        <div class="list-head">
          <h1 class="sr" tabindex="-1">${t('inbox')}</h1>
          <div class="search">
            ${icon('search')}
            <input
              id="search"
              type="search"
              autocomplete="off"
              enterkeyhint="search"
              aria-label=${t('search')}
              placeholder=${t('search_hint')}
              @input=${(/** @type {Event} */ event) => search(/** @type {HTMLInputElement} */ (event.target).value)}
            />
            <button class="button quiet" type="button" aria-expanded=${narrowing ? 'true' : 'false'} aria-label=${t('narrow')} @click=${() => {
              narrowing = !narrowing;
              draw();
            }}>
              ${icon('details')}${area || channel ? html`<span class="dot"></span>` : ''}
            </button>
          </div>
          ${narrowing ? narrow() : ''}
          ${query.trim() ? html`<p class="searched" role="status">${t(`found_${searched}`, { n: found.length })}</p>` : guard([version, filter], chips)}
        </div>
        <div class="list-scroll">
          ${guard(
            [
              version,
              filter,
              current,
              shown,
              context.language,
              clocks.short(context.now() - 60_000),
            ],
            () => {
              const all = heads();
              return all.length
                ? html`<ul class="rows">
                    ${repeat(
                      all.slice(0, shown),
                      (one) => one.id,
                      (one) => row(one, current),
                    )}
                  </ul>
                  ${
                    all.length > shown
                      ? html`<button class="button quiet more-rows" type="button" @click=${() => ((shown += PAGE), draw())}>${t('more_rows')}</button>`
                      : ''
                  }`
                : empty();
            },
          )}
        </div>
      </section>`;
    },
    /** After a render: watch the end of the list, and the fingers on it. */
    rendered() {
      const end = document.querySelector('.more-rows');
      if (end !== observed) {
        observer ??= new IntersectionObserver(
          (entries) => {
            if (!entries.some((entry) => entry.isIntersecting)) return;
            shown += PAGE;
            observer?.disconnect();
            observed = null;
            draw();
          },
          { rootMargin: '800px' },
        );
        observer.disconnect();
        observed = end;
        if (end) observer.observe(end);
      }
      const list = /** @type {HTMLElement | null} */ (document.querySelector('.rows'));
      if (list && list !== swiped) {
        swiped = list;
        watchSwipes(list, {
          label(id, meaning) {
            const one = head(id);
            if (!one || (meaning !== 'read' && !may(context, 'assign'))) return null;
            if (meaning === 'take') return t(actions.taking(one));
            if (meaning === 'read') return one.unread ? t('mark_read') : null;
            return one.status === 'closed' ? t('reopen') : t('finish');
          },
          act(id, meaning) {
            const one = head(id);
            if (one) void actions[meaning](one);
          },
        });
      }
    },
    /** The conversation after or before this one. @param {string | undefined} id @param {1 | -1} step */
    neighbour(id, step) {
      const all = heads();
      const at = all.findIndex((one) => one.id === id);
      return at < 0 ? all[0] : all[at + step];
    },
  };
}
