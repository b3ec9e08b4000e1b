/**
 * Spoedregels: the rules by which a conversation is urgent, each as a sentence, with how often people said otherwise.
 * They are changed in a draft that everybody with the right shares, tried out, and go live with one tap.
 * @module
 */
import { html, nothing } from 'lit-html';
import { live } from 'lit-html/directives/live.js';
import { createRulesApi } from '../rules-api.js';
import { NoAnswer } from '../sync/wire.js';
import { icon } from './icons.js';
import { whyNot } from './oncall/forms.js';
import { editHours, editNever, editRule, newRule } from './rules/edit.js';
import { fewWords, hoursLines, ruleName, ruleSentence } from './rules/sentences.js';
import { openTrial } from './rules/trial.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('../rules-api.js').Body} Body */
/** @typedef {import('../rules-api.js').Overview} Overview */
/** @typedef {import('../rules-api.js').Rule} Rule */

/** What was fetched last, for as long as the app is open: shown when there is no network. @type {Overview | null} */
let last = null;

/** @param {Context} context @param {ReturnType<typeof createRulesApi>} [api] */
export function createRules(context, api = createRulesApi()) {
  const { store, t, draw, clocks, toast } = context;
  const isOnline = () => store.status().connection === 'online';
  let over = false;
  let online = isOnline();
  /** @type {Overview | null} */
  let overview = last;
  /** @type {string | null} */
  let problem = null;
  /** What could not be stored because somebody was first. @type {{body: Body, by: string | null, live: boolean} | null} */
  let clash = null;

  /** What went wrong; the rest of the app looks whether the network is there at all. @param {unknown} error */
  const explain = (error) => {
    if (error instanceof NoAnswer && error.failure.kind === 'network') store.sendNow();
    return whyNot(context, error);
  };

  const load = async () => {
    try {
      overview = last = await api.overview();
      problem = null;
    } catch (error) {
      problem = explain(error);
    }
    if (!over) draw();
  };
  const first = load();
  const unsubscribe = store.subscribe(() => {
    const back = !online && isOnline();
    const changed = online !== isOnline();
    online = isOnline();
    if (back) void load();
    else if (changed && !over) draw();
  });

  /** @param {unknown} error @param {Body} body */
  const clashed = (error, body) => {
    if (!(error instanceof NoAnswer) || error.failure.status !== 409) return false;
    const { by, reason } = error.failure.problem ?? {};
    clash = { body, by: by ?? null, live: reason === 'live_changed' };
    return true;
  };

  /** @returns {import('../rules-api.js').Seen} */
  const seen = () => ({
    version: overview?.live.version ?? 0,
    revision: overview?.draft?.revision ?? 0,
  });

  /** Store a changed set of rules as the draft. @param {Body} body */
  const keep = async (body) => {
    try {
      await api.store(seen(), body);
      clash = null;
    } catch (error) {
      if (!clashed(error, body)) throw error;
    }
    await load();
  };
  /** The same from a tap, with nowhere but the bar to say what went wrong. @param {Body} body */
  const keepNow = (body) => keep(body).catch((error) => (toast(explain(error)), draw()));

  const discard = async () => {
    const draft = overview?.draft;
    if (!draft) return;
    try {
      await api.discard(seen());
      toast(t('rules_discarded'), { label: t('undo'), run: () => keepNow(draft.body) });
    } catch (error) {
      if (!clashed(error, draft.body)) toast(explain(error));
    }
    await load();
  };

  const goLive = async () => {
    const body = overview?.draft?.body;
    if (!body) return;
    try {
      await api.goLive(seen());
      toast(t('rules_are_live'));
    } catch (error) {
      if (!clashed(error, body)) toast(explain(error));
    }
    await load();
  };

  /** @param {number} version */
  const bringBack = async (version) => {
    try {
      await keep((await api.version(version)).body);
      toast(t('rules_brought_back', { n: version }));
    } catch (error) {
      toast(explain(error));
    }
  };

  /** @param {Rule} rule @param {Body} body @param {boolean} may_edit */
  const card = (rule, body, may_edit) => {
    const counted = overview?.counts[rule.id];
    const name = ruleName(context, rule);
    /** @param {Event} event */
    const turn = (event) => {
      const on = /** @type {HTMLInputElement} */ (event.target).checked;
      void keepNow({
        ...body,
        rules: body.rules.map((one) => (one.id === rule.id ? { ...one, on } : one)),
      });
    };
    return html`<li class="card rule ${rule.on ? '' : 'off'}">
      <div class="rule-head">
        <h3>${name}</h3>
        ${
          may_edit
            ? html`<label class="switch"><input type="checkbox" role="switch" aria-label=${t('rules_on_of', { name })} .checked=${live(rule.on)} @change=${turn} /><span aria-hidden="true">${t(rule.on ? 'rules_on' : 'rules_off')}</span></label>`
            : rule.on
              ? nothing
              : html`<span class="tag">${t('rules_off')}</span>`
        }
      </div>
      <p class="sentence">${ruleSentence(context, rule)}</p>
      ${rule.words.length ? html`<p class="hint">${fewWords(context, rule.words)}</p>` : nothing}
      ${
        counted?.urgent
          ? html`<p class="hint">${t('rules_counted', { n: counted.urgent, days: overview?.counted_days ?? 0 })} ${counted.corrected ? t('rules_corrected', { n: counted.corrected }) : t('rules_never_corrected')}</p>`
          : nothing
      }
      ${may_edit ? html`<div class="buttons"><button class="button" type="button" aria-haspopup="dialog" aria-label="${t('change')}: ${name}" @click=${() => editRule(context, body, rule, keep)}>${t('change')}</button></div>` : nothing}
    </li>`;
  };

  /** @param {Overview} known */
  const standing = ({ live, draft }) =>
    html`<p class="hint">${
      live.live_at_ms
        ? t('rules_since', {
            time: clocks.moment(live.live_at_ms),
            who: live.live_by ?? t('someone'),
            n: live.version,
          })
        : t('rules_default')
    }</p>
    ${
      clash
        ? html`<section class="card clash" role="alert">
          <h2>${icon('look')}${t(clash.live ? 'rules_clash_live' : 'rules_clash', { who: clash.by ?? t('someone') })}</h2>
          <p>${t('rules_clash_help')}</p>
          <div class="buttons">
            <button class="button" type="button" @click=${() => ((clash = null), draw())}>${t('rules_clash_theirs')}</button>
            <button class="button" type="button" @click=${() => clash && keepNow(clash.body)}>${t('rules_clash_mine')}</button>
          </div>
        </section>`
        : nothing
    }
    ${
      draft
        ? html`<section class="card draft" aria-label=${t('rules_draft')}>
          <h2>${t('rules_draft')}</h2>
          <p>${t('rules_draft_of', { who: draft.made_by ?? t('someone'), time: draft.made_at_ms ? clocks.moment(draft.made_at_ms) : '' })}</p>
          ${
            online
              ? html`<div class="buttons">
                <button class="button primary" type="button" aria-haspopup="dialog" @click=${() => openTrial(context, api.tryOut(draft.body), goLive)}>${t('rules_try')}</button>
                <button class="button quiet" type="button" @click=${discard}>${t('rules_discard')}</button>
              </div>`
              : nothing
          }
        </section>`
        : nothing
    }`;

  /** @param {Overview} known */
  const rules = (known) => {
    const body = known.draft?.body ?? known.live.body;
    const may_edit = known.may_edit && online;
    const missed = known.counts['']?.missed ?? 0;
    return html`${standing(known)}
      <h2>${t('rules_urgent_when')}</h2>
      <ul class="cards">${body.rules.map((rule) => card(rule, body, may_edit))}</ul>
      ${may_edit ? html`<div class="buttons"><button class="button" type="button" aria-haspopup="dialog" @click=${() => editRule(context, body, newRule(), keep)}>${icon('plus')}${t('rules_new')}</button></div>` : nothing}
      ${missed ? html`<p class="hint">${t('rules_missed', { n: missed, days: known.counted_days })}</p>` : nothing}
      <h2>${t('rules_never')}</h2>
      <p>${body.never.length ? fewWords(context, body.never) : t('rules_words_none')}</p>
      <p class="hint">${t('rules_denial')}</p>
      ${may_edit ? html`<div class="buttons"><button class="button" type="button" aria-haspopup="dialog" aria-label="${t('change')}: ${t('rules_never')}" @click=${() => editNever(context, body, keep)}>${t('change')}</button></div>` : nothing}
      <h2>${t('rules_opening')}</h2>
      <ul>${hoursLines(context, body.hours).map((line) => html`<li class="opening-line">${line}</li>`)}</ul>
      ${body.hours.closed.length ? html`<p class="hint">${t('rules_closed_count', { n: body.hours.closed.length })}</p>` : nothing}
      ${may_edit ? html`<div class="buttons"><button class="button" type="button" aria-haspopup="dialog" aria-label="${t('change')}: ${t('rules_opening')}" @click=${() => editHours(context, body, keep)}>${t('change')}</button></div>` : nothing}
      ${
        known.versions.length || known.live.version
          ? html`<h2>${t('rules_versions')}</h2>
            <ul class="cards">
              ${[...known.versions, { version: 0, live_at_ms: null, live_by: null }].map(
                (one) =>
                  html`<li class="card line">
                    <div>
                      <h3>${one.version ? t('rules_version', { n: one.version }) : t('rules_version_first')}</h3>
                      ${one.live_at_ms ? html`<p class="hint">${t('rules_version_of', { time: clocks.moment(one.live_at_ms), who: one.live_by ?? t('someone') })}</p>` : nothing}
                    </div>
                    ${may_edit ? html`<button class="button" type="button" @click=${() => bringBack(one.version)}>${t('rules_bring_back')}</button>` : nothing}
                  </li>`,
              )}
            </ul>`
          : nothing
      }`;
  };

  return {
    first,
    title: () => t('rules'),
    leave() {
      over = true;
      unsubscribe();
    },
    render() {
      return html`<section class="page rules">
        <div class="page-head"><a class="button quiet back" href="/phone" aria-label=${t('back')}>${icon('back')}</a><h1 tabindex="-1">${t('rules')}</h1></div>
        <p class="hint">${t('rules_intro')}</p>
        ${!online ? html`<p class="attention" role="status">${icon('offline')}<span>${t(overview ? 'rules_offline_old' : 'rules_offline')}</span></p>` : nothing}
        ${online && problem ? html`<p class="problem" role="alert">${icon('urgent')}${problem}</p>` : nothing}
        ${overview ? rules(overview) : online && !problem ? html`<p class="hint" role="status">${t('rules_loading')}</p>` : nothing}
      </section>`;
    },
  };
}
