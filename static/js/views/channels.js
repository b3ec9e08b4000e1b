/**
 * Kanalen: where residents write to us and how each of those places is doing. The list is on the phone; adding and
 * changing take a network and the right to.
 * @module
 */
import { html, nothing } from 'lit-html';
import { createChannelsApi } from '../channels-api.js';
import { openAdd } from './channels/add.js';
import { openManage } from './channels/manage.js';
import { inWords, speakOfChannels, whatWentWrong } from './channels/words.js';
import { channelIcon, icon } from './icons.js';
import { kindName, may } from './names.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Account} Account */
/** @typedef {import('../channels-api.js').Kind} Kind */
/** @typedef {import('../channels-api.js').Told} Told */

const STANDING = new Set(['web', 'contact']);

/** An address breaks where a reader would break it, not in the middle of a word. @param {string} name */
const breakable = (name) => name.split(/(?<=[@.])/).map((part, i) => (i ? html`<wbr />${part}` : part));

/** @param {Context} context @param {ReturnType<typeof createChannelsApi>} [api] */
export function createChannels(context, api = createChannelsApi()) {
  const { store, t, draw, clocks, language, now } = context;
  const isOnline = () => store.status().connection === 'online';
  /** What she may do comes with the first answer of the server, perhaps after this page. */
  const keeps = () => may(context, 'channels');
  let kept = keeps();
  /** @type {import('./channels/words.js').Say} */
  let say = () => '';
  /** @type {Map<string, Told>} */
  let told = new Map();
  /** @type {Kind[]} */
  let kinds = [];
  let problem = '';
  /** Why signing in on the platform's page came to nothing; it stays until she goes on. */
  let outcome = '';
  /** The server is asking the platform what she consented to. */
  let finishing = false;
  let over = false;
  let online = isOnline();
  let heard = '';

  const load = async () => {
    if (!keeps()) return;
    try {
      const [all, possible] = await Promise.all([api.overview(), api.kinds()]);
      told = new Map(all.map((one) => [one.id, one]));
      kinds = possible;
      problem = '';
    } catch (error) {
      problem = whatWentWrong(say, error).text;
      if (online) store.sendNow();
    }
    if (!over) draw();
  };

  /** Back from the platform's own page: what it handed back works once, so it leaves the address at once. */
  const finish = async () => {
    const given = new URLSearchParams(location.search);
    const state = given.get('state');
    if (!location.pathname.endsWith('/signed-in')) return;
    history.replaceState(history.state, '', '/channels');
    const code = given.get('code');
    if (!state || !code) {
      outcome = say('returned_no');
      if (!over) draw();
      return;
    }
    finishing = true;
    if (!over) draw();
    try {
      const added = await api.consent(state, code);
      void load();
      // She may have gone elsewhere meanwhile.
      if (over) return context.toast(say('added', { name: added.name }));
      openAdd(context, say, api, kinds, added);
    } catch (error) {
      outcome = whatWentWrong(say, error).text;
    } finally {
      finishing = false;
      if (!over) draw();
    }
  };

  const first = (async () => {
    say = await speakOfChannels(language);
    void load().then(finish);
  })();

  const unsubscribe = store.subscribe(() => {
    const before = online;
    online = isOnline();
    const state = JSON.stringify(store.refs('account').map(({ health, enabled }) => [health, enabled]));
    // What the feed brings is newer than what was asked for here.
    if (!before && online) void load();
    else if (online && ((heard && heard !== state) || kept !== keeps())) void load();
    kept = keeps();
    heard = state;
    if (!over) draw();
  });

  /** @param {string} kind */
  const titleOf = (kind) => {
    const known = kinds.find((one) => one.kind === kind);
    return known ? inWords(language, known.title) : kindName(context, kind);
  };

  /** @param {{enabled: boolean, ended_ms?: number | null, health: Omit<Account['health'], 'detail'> & {words?: string[]}, waiting?: number}} account */
  const lines = ({ enabled, ended_ms, health, waiting }) => {
    if (ended_ms) return html`<p class="state">${icon('done')}<span>${say('ended_since', { time: clocks.moment(ended_ms) })}</span></p>`;
    if (!enabled) return html`<p class="state">${icon('offline')}<span>${say('off_help')}</span></p>`;
    const fine = health.state === 'working';
    const key = /** @type {import('./channels/words.js').Key} */ (`state_${health.state}`);
    const limited = health.state === 'limited' && (health.until_ms ?? 0) <= now();
    const time = health.since_ms ? clocks.moment(health.since_ms) : '?';
    const until = health.until_ms ? clocks.moment(health.until_ms) : '?';
    return html`<p class="state ${fine ? '' : 'attention'}">${icon(fine ? 'done' : 'look')}<span>${say(limited ? 'state_slow' : key, { time, until })}</span></p>
      ${!fine && health.words?.length ? html`<p class="hint">${inWords(language, health.words)}</p>` : nothing}
      ${waiting ? html`<p class="hint">${say('waiting', { n: waiting })}</p>` : nothing}
      ${(health.gaps ?? [])
        .slice(-3)
        .reverse()
        .map(
          ([from, to]) =>
            html`<p class="gap">${icon('look')}<span>${say('gap', { from: clocks.moment(from), to: clocks.moment(to) })} ${say('gap_help')}</span></p>`,
        )}`;
  };

  /** @param {Account} account */
  const card = (account) => {
    const more = told.get(account.id);
    const team = store.ref('team', account.team ?? '')?.name ?? '';
    return html`<li class="card channel">
      <div class="channel-head">
        ${channelIcon(account.kind)}
        <div><h3>${breakable(account.name)}</h3><p class="hint">${titleOf(account.kind)}${team ? ` · ${team}` : ''}</p></div>
        ${account.ended_ms ? html`<span class="tag">${say('ended')}</span>` : account.enabled ? nothing : html`<span class="tag">${say('off')}</span>`}
      </div>
      ${lines({ ...account, waiting: more?.waiting, health: { ...account.health, words: more?.health.words } })}
      ${
        keeps() && online && more
          ? html`<div class="buttons"><button class="button" type="button" aria-haspopup="dialog" aria-label="${say('manage')}: ${account.name}" @click=${() => openManage(context, say, api, more, kinds.find((one) => one.kind === account.kind), lines, load)}>${say('manage')}</button></div>`
          : nothing
      }
    </li>`;
  };

  /** Those in trouble first. @param {Account} account */
  const rank = ({ enabled, health }) => (!enabled ? 2 : health?.state === 'working' ? 1 : 0);

  return {
    first,
    title: () => t('channels'),
    leave() {
      over = true;
      unsubscribe();
    },
    render() {
      /** @type {Account[]} */
      const all = [...store.refs('account')].sort(
        (a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name) || a.id.localeCompare(b.id),
      );
      const living = all.filter((one) => !STANDING.has(one.kind) && !one.ended_ms);
      const standing = all.filter((one) => STANDING.has(one.kind));
      const ended = all.filter((one) => one.ended_ms);
      return html`<section class="page channels">
        <div class="page-head"><a class="button quiet back" href="/phone" aria-label=${t('back')}>${icon('back')}</a><h1 tabindex="-1">${t('channels')}</h1></div>
        <p class="hint">${say('intro')}</p>
        ${online ? nothing : html`<p class="attention" role="status">${icon('offline')}<span>${say('offline')}</span></p>`}
        ${finishing ? html`<p class="hint" role="status">${say('finishing')}</p>` : nothing}
        ${outcome || (problem && online) ? html`<p class="problem" role="alert">${icon('urgent')}${outcome || problem}</p>` : nothing}
        ${keeps() ? html`<div class="buttons"><button class="button primary" type="button" aria-haspopup="dialog" ?disabled=${!online || !kinds.length} @click=${() => openAdd(context, say, api, kinds)}>${icon('plus')}${say('add')}</button></div>` : nothing}
        <h2>${say('own')}</h2>
        ${living.length ? html`<ul class="cards">${living.map(card)}</ul>` : html`<p>${say('none')}</p>`}
        ${standing.length ? html`<h2>${say('standing')}</h2><ul class="cards">${standing.map(card)}</ul>` : nothing}
        ${ended.length ? html`<h2>${say('ended_list')}</h2><ul class="cards">${ended.map(card)}</ul>` : nothing}
      </section>`;
    },
  };
}
