/**
 * The screen: opens the store, draws the shell round the view of this address, and takes over a snapshot without moving anything.
 * @module
 */
import * as early from './early.js';
import { html, render } from 'lit-html';
import { json } from './api.js';
import { browserEnv } from './connection.js';
import { speak } from './i18n.js';
import { createRouter, match } from './router.js';
import { openStore, writeDevice } from './store.js';
import { createBar } from './views/bar.js';
import { createClocks } from './views/clocks.js';
import { icon } from './views/icons.js';
import { createInbox } from './views/inbox.js';
import { createToasts } from './views/toasts.js';

/** @typedef {import('./views/types.js').Context} Context */
/** @typedef {import('./views/types.js').Route} Route */
/** @typedef {ReturnType<typeof import('./views/conversation.js').createConversation>} ConversationView */
/** @typedef {{first?: Promise<unknown>, title: () => string, render: () => import('lit-html').TemplateResult, leave?: () => void}} Page */

/** Views beyond the first screen; the worker keeps them, so they are there without a network. */
const later = {
  conversation: () => import('./views/conversation.js'),
  new: () => import('./views/new.js'),
  outbox: () => import('./views/outbox.js'),
  phone: () => import('./views/phone.js'),
  oncall: () => import('./views/oncall.js'),
  rules: () => import('./views/rules.js'),
  channels: () => import('./views/channels.js'),
  listening: () => import('./views/listening.js'),
  meetings: () => import('./views/meetings.js'),
  reach: () => import('./views/reach.js'),
  help: () => import('./views/help.js'),
  keys: () => import('./views/keys.js'),
  snapshot: () => import('./views/snapshot.js'),
  push: () => import('./push.js'),
};

/** @param {string | undefined} theme */
function dress(theme) {
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** @type {Promise<unknown> | undefined} */
let styled;
/** The page names the style of the later views without using it yet. */
const laterStyle = () =>
  (styled ??= new Promise((resolve) => {
    const link = /** @type {HTMLLinkElement | null} */ (document.getElementById('later'));
    if (!link || link.rel === 'stylesheet') return resolve(null);
    link.onload = link.onerror = resolve;
    link.rel = 'stylesheet';
  }));

/** The first second on the screen is hers: what fills the phone and prepares the next start comes after it. */
const CALM_MS = 1_000;
/** From here on a conversation stands beside its list. */
const WIDE = '(min-width: 48em)';
/** The longest that the first frame waits for what was kept of a draft. */
const DRAFTS_MS = 50;
const hadWorker = Boolean(navigator.serviceWorker?.controller);

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @type {() => void} */
let isDrawn = () => {};
/** @type {Promise<void>} */
const drawn = new Promise((resolve) => (isDrawn = resolve));

/** The store of the person whose phone this is. */
async function open() {
  const { personId, first } = await early.person;
  if (first) void writeDevice({ person_id: personId }).catch(failed);
  const onBroken = () => failed(new Error('no storage'));
  const opening = early.openedFor(personId);
  // A phone that opens on a conversation shows no list.
  const glance = matchMedia(WIDE).matches ? undefined : match(location.pathname).id;
  return { personId, opened: await openStore({ personId, first, busy: true, onBroken, glance, opening, drawn }) };
}

async function start() {
  const opening = open();
  opening.catch(() => {}); // awaited below
  // Asked for while the disk is read, when this address needs it.
  if (match(location.pathname).name === 'conversation') void later.conversation();
  const device = await early.taste;
  dress(device.theme);
  // In a hall the tablet shows nothing else, whatever address it is started at.
  if (localStorage.kiosk) history.replaceState(null, '', localStorage.kiosk);
  const speaking = speak(device.language ?? document.documentElement.lang);
  const { language, t, more: words } = await speaking;
  /** What the views say and look like that are loaded later. */
  const more = () => Promise.all([words(), laterStyle()]);
  const now = () => Date.now();
  const clocks = createClocks(language, t, now);
  // Formatters take long to make; meanwhile the disk or the server is waited for.
  for (const days of [0, 3, 30]) clocks.short(now() - days * 86_400_000);
  const { personId, opened } = await opening;
  document.documentElement.lang = language;

  const nobody = { id: personId, name: '', role: '', language, rights: [] };
  let connection = opened.status().connection;
  /** @type {import('./views/types.js').Store} */
  const store = {
    ...opened,
    me: () => opened.me() ?? nobody,
    devices: async () => (await import('./session.js')).devices(),
    revokeDevice: async (id) => (await import('./session.js')).revokeDevice(id),
  };

  const root = /** @type {HTMLElement} */ (document.querySelector('#app'));
  const live = document.querySelector('#announce');
  const panes = matchMedia(WIDE);
  let theme = device.theme ?? 'auto';
  /** @type {ReturnType<typeof import('./views/reach.js').createReach> | null} */
  let reach = null;
  let frame = 0;
  /** @type {any} */
  let installPrompt = null;

  /** @param {string} text */
  const announce = (text) => {
    if (live && live.textContent !== text) live.textContent = text;
  };
  const draw = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      paint();
    });
  };
  const toasts = createToasts(t, draw, now);

  /** @type {Context} */
  const context = {
    store,
    t,
    language,
    clocks,
    now,
    draw,
    announce,
    toast: toasts.show,
    go: (path, options) => router.go(path, options),
    route: () => route,
    wide: () => panes.matches,
    canInstall: () => Boolean(installPrompt),
    async install() {
      await installPrompt?.prompt();
      installPrompt = null;
      draw();
    },
    theme: () => theme,
    concerns: () => reach?.sentences() ?? [],
    async prefer(patch) {
      await writeDevice(patch);
      if (patch.theme) {
        theme = patch.theme;
        dress(theme);
      }
      // Every sentence on the screen changes: starting again is simpler than redrawing, and drafts are on the disk.
      if (patch.language && patch.language !== language) location.reload();
      draw();
    },
  };

  const bar = createBar(context);
  const inbox = createInbox(context);
  /** @type {Route} */
  let route = match(location.pathname);
  /** @type {ConversationView | null} */
  let conversation = null;
  /** @type {Page | null} */
  let page = null;
  let arriving = false;
  let listTop = 0;

  /** @param {Exclude<Route['name'], 'inbox' | 'conversation' | 'missing'>} name @returns {Promise<Page>} */
  const openPage = async (name) => {
    await more();
    /** @type {Record<string, any>} each exports how it is made, under its own name */
    const view = await later[name]();
    return view[`create${name[0]?.toUpperCase()}${name.slice(1)}`](context);
  };

  /** @param {Route} next @param {'go' | 'back' | 'start'} how */
  const enter = async (next, how) => {
    const list = document.querySelector('.list-scroll');
    if (route.name === 'inbox' && list) listTop = list.scrollTop;
    const from = conversation?.id;
    const before = route;
    route = next;
    if (next.name !== 'conversation' || next.id !== conversation?.id) {
      conversation?.leave();
      conversation = null;
    }
    page?.leave?.();
    page = null;
    if (next.name === 'conversation') {
      if (!conversation) {
        const [{ createConversation }] = await Promise.all([later.conversation(), more()]);
        if (route !== next) return;
        conversation = createConversation(context, next.id ?? '');
      }
      await conversation.first;
      // In the first frame of a page the field can be typed in at once; a phone that is still being filled is not waited for.
      if (how === 'start') await Promise.race([conversation.composer.loaded, pause(DRAFTS_MS)]);
    } else if (next.name !== 'inbox' && next.name !== 'missing') {
      const coming = await openPage(next.name);
      await coming.first;
      // She may have gone elsewhere while this page was read.
      if (route !== next) return coming.leave?.();
      page = coming;
    } else if (next.name === 'missing') await more();
    if (route !== next) return;
    document.title = `${next.name === 'inbox' ? t('inbox') : next.name === 'missing' ? t('missing') : (conversation ?? page)?.title()} · Stoep`;
    if (how === 'start') return;
    paint();
    if (next.name === 'inbox' && !panes.matches) {
      document.querySelector('.list-scroll')?.scrollTo(0, listTop);
      const row =
        before.name === 'conversation' &&
        document.querySelector(`[data-id="${CSS.escape(from ?? '')}"] a`);
      if (row instanceof HTMLElement) return row.focus({ preventScroll: true });
    }
    // A keyboard user who walks down the list with j and k stays in the list.
    if (!arriving)
      document
        .querySelector(next.name === 'conversation' ? '.conversation h1' : 'main h1')
        ?.dispatchEvent(new Event('arrive', { bubbles: true }));
  };

  root.addEventListener('arrive', ({ target }) =>
    /** @type {HTMLElement} */ (target).focus({ preventScroll: true }),
  );
  const router = createRouter(window, (next, how) => void enter(next, how));

  /** @param {string} path @param {import('./views/icons.js').IconName} mark @param {import('./i18n.js').Key} label @param {number} [count] */
  const tab = (path, mark, label, count) => {
    const here =
      path === '/'
        ? route.name === 'inbox' || route.name === 'conversation'
        : location.pathname === path;
    return html`<a class="tab-link ${mark}" href=${path} aria-current=${here ? 'page' : 'false'}
      ><span class="tab-icon">${icon(mark)}${count ? html`<span class="badge number">${count > 99 ? '99+' : count}</span>` : ''}</span><span>${t(label)}</span></a
    >`;
  };

  const body = () => {
    if (route.name === 'inbox' || route.name === 'conversation')
      return html`${panes.matches || route.name === 'inbox' ? inbox.render(route.id) : ''}${
        conversation
          ? conversation.render()
          : panes.matches
            ? html`<section class="conversation"><div class="empty choose">${icon('inbox')}<h2>${t('choose')}</h2><p>${t('choose_help')}</p></div></section>`
            : ''
      }`;
    if (page) return page.render();
    if (route.name !== 'missing') return html`<section class="page" aria-busy="true"></section>`;
    return html`<section class="page"><div class="empty"><h1 tabindex="-1">${t('missing')}</h1><p>${t('missing_help')}</p><a class="button" href="/">${t('to_inbox')}</a></div></section>`;
  };

  const template = () => {
    const { waiting, needsPerson } = store.status();
    return html`${bar.render()}
      <main id="main" class=${route.name === 'inbox' || route.name === 'conversation' ? 'panes' : 'single'}>${body()}</main>
      <nav aria-label=${t('nav')}>
        ${tab('/', 'inbox', 'nav_inbox', store.counts().unread)} ${tab('/new', 'plus', 'nav_note')} ${tab('/outbox', 'queue', 'nav_outbox', waiting + needsPerson)}
        ${tab('/phone', 'phone', 'nav_phone')}
      </nav>
      ${toasts.render()}`;
  };

  /** Until the screen is taken over nothing is drawn: lit would put it beside the snapshot, and all would be there twice. */
  let paint = () => {};
  const painted = () => {
    document.body.dataset.route = route.name;
    inbox.rendered();
    keepPicture();
  };
  /** For the next cold start; there when this one is done with. */
  let keepPicture = () => {};

  await enter(route, 'start');
  // Drawn beside the snapshot and put in its place whole: nothing on the screen moves.
  const home = document.createElement('div');
  home.id = 'app';
  const typed = /** @type {HTMLTextAreaElement | null} */ (root.querySelector('#composer-text'));
  const scrolled = root.querySelector('.list-scroll')?.scrollTop ?? 0;
  const focused = document.activeElement?.id;
  home.addEventListener('arrive', ({ target }) =>
    /** @type {HTMLElement} */ (target).focus({ preventScroll: true }),
  );
  const writing = /** @type {ConversationView | null} */ (conversation);
  if (typed?.value && writing)
    writing.composer.adopt(typed.value, typed.closest('.note') ? 'note' : 'reply');
  render(template(), home);
  root.replaceWith(home);
  paint = () => {
    render(template(), home);
    painted();
  };
  if (scrolled) home.querySelector('.list-scroll')?.scrollTo(0, scrolled);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  // Until its draft has been read the field takes nothing.
  if (focused === 'composer-text') void writing?.composer.loaded.then(() => writing.composer.focus());
  painted();
  // What asked to be drawn until now has been.
  cancelAnimationFrame(frame);
  frame = 0;
  // In the next frame's turn, so that this one is on the screen by then.
  requestAnimationFrame(() => setTimeout(isDrawn));

  let spoken = bar.spoken();
  store.subscribe(({ kinds }) => {
    // The store has emptied this phone and is closed: nothing of it may stay on the screen.
    if (kinds.has('revoked') || kinds.has('signed_out')) {
      paint = () => {};
      farewell(t, kinds.has('revoked'));
      return;
    }
    const status = opened.status();
    if (status.connection !== connection) {
      const back = status.connection === 'online' && connection !== 'online';
      connection = status.connection;
      if (back) announce(t('back_online'));
    }
    const next = bar.spoken();
    if (next !== spoken) {
      spoken = next;
      if (next) announce(next);
    }
    // Somebody else signed in on this phone: her own store is opened, the other's outbox stays where it is.
    const me = opened.me();
    if (me && me.id !== personId)
      void writeDevice({ person_id: me.id }).then(() => location.reload());
    draw();
  });

  const keep = () => {
    conversation?.composer.flush();
    if (route.name === 'new') page?.leave?.();
  };
  window.addEventListener('pagehide', keep);
  document.addEventListener('visibilitychange', () =>
    document.visibilityState === 'hidden' ? keep() : draw(),
  );
  window.addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault();
    installPrompt = event;
    draw();
  });
  panes.addEventListener('change', draw);
  // "14:02" becomes "gisteren" without anybody touching the screen.
  setInterval(draw, 60_000);

  /** @param {1 | -1} step */
  const walk = async (step) => {
    const next = inbox.neighbour(
      route.id ??
        /** @type {HTMLElement | null} */ (document.activeElement?.closest('[data-id]'))?.dataset
          .id,
      step,
    );
    if (!next || route.name === 'new') return;
    arriving = true;
    if (panes.matches) {
      await enter({ name: 'conversation', id: next.id }, 'go');
      history.replaceState(history.state, '', `/c/${next.id}`);
    }
    const link = /** @type {HTMLElement | null} */ (
      document.querySelector(`[data-id="${CSS.escape(next.id)}"] a`)
    );
    link?.focus({ preventScroll: true });
    link?.scrollIntoView({ block: 'nearest' });
    arriving = false;
  };
  const keys = {
    j: () => void walk(1),
    k: () => void walk(-1),
    r: () => conversation?.composer.focus('reply'),
    n: () => conversation?.composer.focus('note'),
    e: () => conversation?.finish(),
    '/': () => document.getElementById('search')?.focus(),
    '?': async () => {
      const [{ showKeys }] = await Promise.all([later.help(), more()]);
      showKeys(context);
    },
  };

  setTimeout(() => {
    void later.keys().then(({ listenKeys }) => listenKeys(document, keys));
    registerWorker(opened, draw);
    void opened.persist();
    opened.settled();
  }, CALM_MS);
  navigator.serviceWorker?.addEventListener('message', ({ data, ports: [port] }) => {
    if (data?.what !== 'open') return;
    router.go(data.path);
    port?.postMessage('gone there');
  });
  // The first tap on a row must not wait for the network.
  setTimeout(async () => {
    try {
      const [{ createReach }, { saveSnapshot }] = await Promise.all([
        later.reach(),
        later.snapshot(),
        later.conversation(),
        more(),
      ]);
      reach = createReach(context);
      keepPicture = () => {
        if (route.name === 'inbox' || route.name === 'conversation')
          saveSnapshot(store, location.pathname);
      };
      keepPicture();
    } catch {
      // A file that did not come; the view that needs it asks again.
    }
  }, 300);
  setTimeout(
    () =>
      void later
        .push()
        .then(({ keepPush }) => keepPush(context))
        .catch(() => undefined),
    1000,
  );
}

/**
 * @param {import('./i18n.js').Translate} t
 * @param {boolean} revoked by an administrator; otherwise she signed out in another tab
 */
function farewell(t, revoked) {
  if (!revoked) return location.replace('/sign-in');
  const app = document.createElement('div');
  app.id = 'app';
  render(
    html`<main class="single" id="main">
      <section class="page">
        <div class="empty">
          <h1>${t('bar_revoked')}</h1>
          <p>${t('bar_revoked_help')}</p>
          <a class="button primary" href="/sign-in">${t('sign_in')}</a>
        </div>
      </section>
    </main>`,
    app,
  );
  for (const dialog of document.querySelectorAll('dialog')) dialog.remove();
  document.querySelector('#app')?.replaceWith(app);
}

/** @param {{markUpdateReady?: () => void}} store @param {() => void} drawn called when it is there for the first time */
function registerWorker(store, drawn) {
  if (!('serviceWorker' in navigator)) return;
  const trusted = /** @type {any} */ (window).trustedTypes?.createPolicy('stoep', {
    createScriptURL: (/** @type {string} */ url) => url,
  });
  navigator.serviceWorker
    .register(trusted?.createScriptURL('/service-worker.js') ?? '/service-worker.js')
    .then(
      (registration) => {
        const ready = () => registration.waiting && hadWorker && store.markUpdateReady?.();
        ready();
        registration.addEventListener('updatefound', () =>
          registration.installing?.addEventListener('statechange', ready),
        );
      },
      // Without a worker everything works while there is a network; the phone page says what is missing.
      () => undefined,
    );
  // Until now there was nobody to keep this screen for.
  if (!hadWorker) void navigator.serviceWorker.ready.then(drawn);
}

/** @param {any} error */
async function failed(error) {
  // A phone that was revoked may be emptied by the worker under a page that begins, which then fails in any way.
  const asked = () => json(browserEnv(), '/me').then(() => '', ({ failure }) => failure?.kind);
  const kind = error.failure?.kind;
  if (['signed_out', 'revoked'].includes(kind ?? (await asked()))) return location.replace('/sign-in');
  console.error(error);
  const { t } = await speak(document.documentElement.lang);
  const offline = kind === 'network' || kind === 'portal';
  const app = /** @type {HTMLElement} */ (document.querySelector('#app'));
  app.replaceChildren();
  render(
    html`<main class="single"><section class="page"><div class="empty">
      <h1>${t(offline ? 'bar_offline' : 'broken')}</h1>
      <p>${t(offline ? 'no_network_first' : 'broken_help')}</p>
      <button class="button primary" @click=${() => location.reload()}>${t('refresh')}</button>
    </div></section></main>`,
    app,
  );
}

let reloading = false;
navigator.serviceWorker?.addEventListener('controllerchange', () => {
  // A revoked phone loses its worker: what is said about that must stay on the screen.
  if (!hadWorker || reloading || !navigator.serviceWorker.controller) return;
  reloading = true;
  location.reload();
});

start().catch(failed);
