/**
 * Piket: who is on call and who would be woken, the rota, and what each arranges for herself. What the replica holds is
 * there without a network; the rest says that it needs one.
 * @module
 */
import { html, nothing } from 'lit-html';
import { createOncallApi } from '../oncall-api.js';
import { icon } from './icons.js';
import { createAhead } from './moments.js';
import { may } from './names.js';
import { createEscalation } from './oncall/escalation.js';
import { createMine } from './oncall/mine.js';
import { renderNow } from './oncall/now.js';
import { createPreview } from './oncall/preview.js';
import { createRota } from './oncall/rota.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Team} Team */

/** @param {Context} context @param {ReturnType<typeof createOncallApi>} [api] */
export function createOncall(context, api = createOncallApi()) {
  const { store, t, draw, now, language } = context;
  const ahead = createAhead(language, t, now);
  let over = false;
  let chosen = '';
  let online = store.status().connection === 'online';
  /** @type {import('../oncall-api.js').Settings | null} */
  let settings = null;
  /** @type {import('../oncall-api.js').Health | null} */
  let health = null;

  const load = async () => {
    const [told, reach] = await Promise.allSettled([api.settings(), api.health()]);
    if (over) return;
    // What was known stays on the screen: it is still what the server said last.
    if (told.status === 'fulfilled') settings = told.value;
    if (reach.status === 'fulfilled') health = reach.value;
    draw();
  };
  const rota = createRota(context, ahead, api);
  const preview = createPreview(context, api);
  const mine = createMine(context, ahead, api, load);
  const escalation = createEscalation(context, api, load);

  const unsubscribe = store.subscribe(({ kinds }) => {
    const back = !online && store.status().connection === 'online';
    online = store.status().connection === 'online';
    if (back) void load();
    if (back || kinds.has('refs')) void preview.refresh();
  });
  void load();

  /** Her own teams; who is in none (an administrator) sees them all. @returns {Team[]} */
  const teams = () => {
    const all = /** @type {Team[]} */ (store.refs('team'));
    const own = new Set(store.ref('person', store.me().id)?.teams ?? []);
    const hers = all.filter(({ id }) => own.has(id));
    return hers.length ? hers : all;
  };

  /** @param {Team[]} all */
  const teamChips = (all) =>
    all.length > 1
      ? html`<div class="chips wrap" role="group" aria-label=${t('oncall_team')}>
          ${all.map(
            ({ id, name }) =>
              html`<button class="chip" type="button" aria-pressed=${id === chosen ? 'true' : 'false'} @click=${() => ((chosen = id), draw())}>${name}</button>`,
          )}
        </div>`
      : nothing;

  return {
    title: () => t('oncall'),
    leave() {
      over = true;
      unsubscribe();
    },
    render() {
      const all = teams();
      const team = all.find(({ id }) => id === chosen) ?? all[0];
      if (!team)
        return html`<section class="page"><h1 tabindex="-1">${t('oncall')}</h1><p class="hint">${t('oncall_no_team')}</p></section>`;
      chosen = team.id;
      const known = settings?.teams.find(({ id }) => id === team.id);
      const may_plan = known?.may_plan ?? may(context, 'plan');
      return html`<section class="page oncall">
        <div class="page-head"><a class="button quiet back" href="/phone" aria-label=${t('back')}>${icon('back')}</a><h1 tabindex="-1">${t('oncall')}</h1></div>
        <p class="hint">${t('oncall_intro')}</p>
        <h2>${t('oncall_who_now')}</h2>
        ${renderNow(context, ahead, all)}
        <h2>${t('oncall_preview')}</h2>
        ${preview.render(all.flatMap(({ areas }) => areas))}
        <h2>${t('oncall_rota')}</h2>
        ${teamChips(all)} ${rota.render(team, may_plan)}
        <h2>${t('oncall_away')}</h2>
        ${mine.renderAbsences()}
        <h2>${t('oncall_quiet')}</h2>
        ${mine.renderQuiet(settings)}
        <h2>${t('oncall_calendar')}</h2>
        ${mine.renderCalendar(settings)}
        ${known ? html`<h2>${all.length > 1 ? t('oncall_escalation_of', { team: team.name }) : t('oncall_escalation')}</h2>${escalation.render(known)}` : nothing}
        ${health?.team?.length ? html`<h2>${t('oncall_reach')}</h2>${escalation.renderReach(health.team)}` : nothing}
      </section>`;
    },
  };
}
