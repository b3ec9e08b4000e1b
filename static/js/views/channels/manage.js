/**
 * One account in a sheet: how it is doing, tried, changed, switched off, ended; and who is reached there.
 * @module
 */
import { html, nothing } from 'lit-html';
import { confirm, showDialog } from '../dialogs.js';
import { icon } from '../icons.js';
import { createForm } from './form.js';
import { hookAddress } from './hook.js';
import { createTrial } from './trial.js';
import { inWords, whatWentWrong } from './words.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('./words.js').Say} Say */
/** @typedef {import('../../channels-api.js').Kind} Kind */
/** @typedef {import('../../channels-api.js').Told} Told */
/** @typedef {Awaited<ReturnType<import('../../channels-api.js').ChannelsApi['residents']>>} Reached */

/**
 * @param {Context} context
 * @param {Say} say
 * @param {import('../../channels-api.js').ChannelsApi} api
 * @param {Told} given
 * @param {Kind | undefined} kind  undefined where nobody can change it
 * @param {(account: Told) => unknown} lines  how it is doing
 * @param {() => unknown} changed  the list must be fetched again
 */
export function openManage(context, say, api, given, kind, lines, changed) {
  const { language, t, clocks, toast } = context;
  let account = given;
  /** @type {ReturnType<typeof createForm> | null} */
  let form = null;
  /** @type {{fine: boolean, text: string} | null} */
  let checked = null;
  let hook = '';
  let busy = false;
  /** @type {Reached | null} */
  let reached = null;
  const draw = () => dialog.update();

  /** @param {() => Promise<unknown>} work */
  const doing = (work) => async () => {
    if (busy) return;
    busy = true;
    draw();
    try {
      await work();
    } catch (error) {
      toast(whatWentWrong(say, error).text);
    }
    busy = false;
    draw();
  };

  const check = doing(async () => {
    const told = await api.check(account.id);
    hook = told.hook_url ?? '';
    checked = told.fine
      ? { fine: true, text: say('check_fine', { time: clocks.moment(told.at_ms) }) }
      : { fine: false, text: say('check_bad', { said: inWords(language, told.words ?? []) }) };
  });

  const turn = doing(async () => {
    account = await api.turn(account.id, !account.enabled);
    toast(say(account.enabled ? 'turned_on' : 'turned_off', { name: account.name }));
    changed();
  });

  const end = async () => {
    const title = say('end_ask', { name: account.name });
    const yes = say('end');
    if (!(await confirm(context, { title, text: say('end_help'), yes, danger: true }))) return;
    await doing(async () => {
      account = await api.end(account.id);
      toast(say('end_done', { name: account.name }));
      changed();
    })();
  };

  const who = doing(async () => {
    reached = await api.residents(account.id);
  });

  const edit = () => {
    if (!kind) return;
    form = createForm(context, say, {
      kind,
      account,
      yes: say('save'),
      changed: draw,
      submit: async (typed) => {
        account = await api.change(account.id, typed);
        form = null;
        toast(say('saved'));
        changed();
        draw();
      },
    });
    draw();
  };

  const signIn = doing(async () => {
    const { name, team, area, values } = account;
    const { page } = await api.signIn(account.kind, { name, team, area, values }, account.id);
    location.assign(page);
  });

  const people = () => {
    if (!reached) return nothing;
    const { residents, unreachable, cut } = reached;
    if (!residents.length) return html`<p>${say('residents_none')}</p>`;
    return html`<p>${unreachable ? say('residents_lost', { n: unreachable }) : nothing}</p>
      <p><a class="button" href=${api.table(account.id)} download>${say('residents_table')}</a></p>
      <ul class="reached">
        ${residents.map(
          (one) =>
            html`<li>
              <strong>${one.name || one.address || t('unknown_name')}</strong>
              <span class=${one.other.length ? 'hint' : 'lost'}>${one.other.length ? say('residents_other', { ways: one.other.map(({ address }) => address).join(', ') }) : say('residents_only')}</span>
            </li>`,
        )}
      </ul>
      ${cut ? html`<p class="hint">${say('residents_cut')}</p>` : nothing}`;
  };

  const trial = createTrial(
    context,
    say,
    api,
    account.id,
    account.test,
    () => draw(),
    () => dialog.close(),
  );

  const body = () =>
    html`${lines(account)}
      ${checked ? html`<p class=${checked.fine ? 'good' : 'problem'} role="status">${icon(checked.fine ? 'done' : 'urgent')}<span>${checked.text}</span></p>` : nothing}
      ${hook ? hookAddress(context, say, hook) : nothing}
      ${
        account.ended_ms
          ? nothing
          : html`<div class="buttons">
            ${account.can_change ? html`<button class="button" type="button" aria-disabled=${busy ? 'true' : 'false'} @click=${check}>${say('check')}</button>` : nothing}
            ${kind ? html`<button class="button" type="button" @click=${edit}>${say('edit')}</button>` : nothing}
            <button class="button" type="button" aria-disabled=${busy ? 'true' : 'false'} @click=${turn}>${say(account.enabled ? 'turn_off' : 'turn_on')}</button>
          </div>
          ${kind?.sign_in ? html`<div class="buttons"><button class="button" type="button" aria-disabled=${busy ? 'true' : 'false'} @click=${signIn}>${say('sign_in_again', { kind: inWords(language, kind.title) })}</button></div>` : nothing}
          ${account.can_change && account.enabled ? trial.render() : nothing}`
      }
      <section aria-label=${say('residents')}>
        <h3>${say('residents')}</h3>
        ${reached ? people() : html`<div class="buttons"><button class="button" type="button" aria-disabled=${busy ? 'true' : 'false'} @click=${who}>${t('look')}</button></div>`}
      </section>
      ${account.can_change && !account.ended_ms ? html`<div class="buttons"><button class="button danger" type="button" @click=${end}>${say('end')}</button></div>` : nothing}`;

  const editing = () =>
    html`${form?.render()}
      <div class="buttons"><button class="button quiet" type="button" @click=${() => ((form = null), draw())}>${icon('back')}${say('back')}</button></div>`;

  const dialog = showDialog(() => html`<div class="channel-sheet">${form ? editing() : body()}</div>`, {
    label: account.name,
    sheet: true,
    closeLabel: t('close'),
  });
  void dialog.closed.then(() => trial.leave());
  return dialog;
}
