/**
 * Meeluisteren: what is said in the neighbourhood and not to the municipality, apart from the inbox. One tap makes a
 * conversation of it, or silences where it came from.
 * @module
 */
import { html, nothing } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { word } from '../i18n.js';
import { uuid7 } from '../ids.js';
import { createListeningApi } from '../listening-api.js';
import { icon } from './icons.js';
import { areaName, choosableAreas, may } from './names.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('../listening-api.js').Hit} Hit */
/** @typedef {import('../listening-api.js').Heard} Heard */

const LONG_CHARS = 500;

/** Nothing went wrong, but the platform promises less than one might think. */
const REMARK = 'words_maybe_own';

/** Troubles that somebody has to do something about; all others pass by themselves. */
const LASTING = ['hashtags_only', 'query_refused', 'search_not_allowed', 'cannot_search', 'token_refused', 'app_password_needed'];

/** @param {Context} context @param {ReturnType<typeof createListeningApi>} [api] */
export function createListening(context, api = createListeningApi()) {
  const { store, t, clocks, draw, now } = context;
  /** @type {Heard | null} */
  let heard = null;
  /** What was tapped here or still waits in the outbox: hit → its conversation, or null when it is muted. @type {Map<string, string | null>} */
  const tapped = new Map();
  let busy = false;
  let failed = false;
  let problem = '';
  let over = false;
  let online = store.status().connection === 'online';

  const load = async () => {
    busy = true;
    draw();
    try {
      const [fresh, waiting] = await Promise.all([api.heard(), store.outbox()]);
      heard = fresh;
      failed = false;
      tapped.clear();
      for (const { kind, payload, conversation_id } of waiting) {
        if (kind === 'adopt') tapped.set(payload.hit, conversation_id);
        if (kind === 'mute') tapped.set(payload.hit, null);
      }
    } catch {
      failed = true;
    }
    busy = false;
    if (!over) draw();
  };
  const unsubscribe = store.subscribe(() => {
    const back = !online && store.status().connection === 'online';
    online = store.status().connection === 'online';
    if (back) void load();
  });
  const first = load();

  const more = async () => {
    if (!heard?.next || busy) return;
    busy = true;
    try {
      const page = await api.heard(heard.next);
      heard = { ...page, hits: [...heard.hits, ...page.hits] };
    } catch {
      context.toast(t('failed'));
    }
    busy = false;
    draw();
  };

  /** @param {Hit} hit @param {'adopt' | 'mute'} kind */
  const tap = (hit, kind) => async () => {
    const conversation_id = uuid7(now());
    try {
      await store.enqueue({ kind, conversation_id, based_on: null, payload: { hit: hit.id } });
      tapped.set(hit.id, kind === 'adopt' ? conversation_id : null);
      context.toast(t(kind === 'adopt' ? 'listening_adopted' : 'listening_muted_now'));
    } catch {
      context.toast(t('failed_try'));
    }
    draw();
  };

  /** @param {() => Promise<unknown>} act */
  const change = (act) => async () => {
    try {
      await act();
      await load();
    } catch {
      context.toast(t('failed'));
    }
  };

  /** @param {SubmitEvent} event */
  const listen = async (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const said = Object.fromEntries(new FormData(form));
    try {
      await api.listen({ area: `${said.area}`, account: `${said.account}`, query: `${said.query}`.trim() });
      problem = '';
      form.reset();
      await load();
    } catch (error) {
      const reason = /** @type {any} */ (error).failure?.problem?.reason;
      problem = reason ? word(t, 'listening_refused', reason) : t('failed');
      draw();
      /** @type {HTMLElement | null} */ (form.querySelector('[name=query]'))?.focus();
    }
  };

  /** @param {Hit} hit */
  const one = (hit) => {
    const mine = tapped.get(hit.id);
    if (mine === null) return nothing;
    const conversation = hit.conversation ?? mine;
    const where = [hit.account_name, areaName(context, hit.area), clocks.moment(hit.said_ms)].join(' · ');
    if (conversation)
      return html`<li class="hit">
        <p class="hint">${where}</p>
        <p>${icon('done')} <a href="/c/${conversation}">${t('listening_is_conversation')}</a></p>
      </li>`;
    const long = hit.text.length > LONG_CHARS;
    return html`<li class="hit">
      <h2 dir="auto">${hit.title || hit.author || hit.account_name}</h2>
      <p class="hint">${hit.author && hit.title && hit.author !== hit.account_name ? `${hit.author} · ` : ''}${where}</p>
      <p class="text" dir="auto">${long ? `${hit.text.slice(0, LONG_CHARS)}…` : hit.text}</p>
      ${
        long
          ? html`<details><summary>${t('listening_whole')}</summary><p class="text" dir="auto">${hit.text}</p></details>`
          : ''
      }
      ${hit.link ? html`<p><a href=${hit.link} target="_blank" rel="noopener noreferrer">${t('listening_there')}</a></p>` : ''}
      ${
        may(context, 'assign')
          ? html`<div class="buttons">
              <button class="button" type="button" @click=${tap(hit, 'adopt')}>${icon('plus')}${t('listening_adopt')}</button>
              <button class="button quiet" type="button" @click=${tap(hit, 'mute')}>${icon('close')}${t('listening_mute')}</button>
            </div>`
          : ''
      }
    </li>`;
  };

  /** What a search cannot do, or cannot promise. @param {string} code */
  const trouble = (code) => {
    if (!code) return '';
    if (code === REMARK) return html`<p class="hint">${word(t, 'cause', code)}</p>`;
    const words = LASTING.includes(code) ? word(t, 'cause', code) : t('listening_trouble');
    return html`<p class="problem">${icon('urgent')}${words}</p>`;
  };

  const searches = () => {
    if (!heard) return '';
    const { accounts } = heard;
    return html`<h2>${t('listening_for')}</h2>
      ${heard.searches.length ? '' : html`<p class="hint">${t('listening_for_none')}</p>`}
      <ul class="plain">
        ${heard.searches.map(
          (search) =>
            html`<li class="hit">
              <p><strong dir="auto">${search.query}</strong> <span class="hint">${search.account_name} · ${areaName(context, search.area)}</span></p>
              ${trouble(search.trouble)}
              ${may(context, 'assign') ? html`<button class="button quiet" type="button" aria-label=${t('listening_stop_what', { query: search.query })} @click=${change(() => api.stop(search.id))}>${t('listening_stop')}</button>` : ''}
            </li>`,
        )}
      </ul>
      ${
        may(context, 'assign') && accounts.length
          ? html`<form class="form" novalidate @submit=${listen}>
              <label class="field"><span>${t('listening_words')}</span><input name="query" type="text" autocomplete="off" maxlength="200" aria-describedby=${problem ? 'listening-problem' : nothing} aria-invalid=${problem ? 'true' : nothing} /></label>
              ${problem ? html`<p class="problem" role="alert" id="listening-problem">${icon('urgent')}${problem}</p>` : ''}
              <div class="pair">
                <label class="field"><span>${t('area')}</span><select name="area">${choosableAreas(context).map((area) => html`<option value=${area.code}>${area.name}</option>`)}</select></label>
                <label class="field"><span>${t('listening_by')}</span><select name="account">${accounts.map(({ id, name }) => html`<option value=${id}>${name}</option>`)}</select></label>
              </div>
              <div class="buttons end"><button class="button primary">${t('listening_start')}</button></div>
            </form>`
          : ''
      }
      ${
        heard.muted.length
          ? html`<h2>${t('listening_muted')}</h2>
              <ul class="plain">
                ${heard.muted.map(
                  (muted) =>
                    html`<li class="hit">
                      <p>${muted.label} <span class="hint">${areaName(context, muted.area)}</span></p>
                      ${may(context, 'assign') ? html`<button class="button quiet" type="button" aria-label=${t('listening_unmute_what', { label: muted.label })} @click=${change(() => api.unmute(muted.id))}>${t('listening_unmute')}</button>` : ''}
                    </li>`,
                )}
              </ul>`
          : ''
      }`;
  };

  return {
    first,
    title: () => t('listening'),
    leave() {
      over = true;
      unsubscribe();
    },
    render: () =>
      html`<section class="page" aria-busy=${busy ? 'true' : 'false'}>
        <div class="page-head"><a class="button quiet back" href="/phone" aria-label=${t('back')}>${icon('back')}</a><h1 tabindex="-1">${t('listening')}</h1></div>
        <p class="hint">${t('listening_help')}</p>
        <div class="buttons"><button class="button" type="button" @click=${load}>${icon('refresh')}${t('listening_refresh')}</button></div>
        ${failed ? html`<p class="unheard" role="status">${icon('offline')}<span>${t(heard ? 'listening_old' : 'listening_offline')}</span></p>` : ''}
        ${heard && !heard.hits.length ? html`<p class="nothing">${t('listening_nothing')}</p>` : ''}
        <ul class="plain">
          ${repeat(heard?.hits ?? [], (hit) => hit.id, one)}
        </ul>
        ${heard?.next ? html`<button class="button" type="button" @click=${more}>${t('listening_more')}</button>` : ''} ${searches()}
      </section>`,
  };
}
