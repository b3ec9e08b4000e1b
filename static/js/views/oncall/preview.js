/**
 * Who would be woken now, in five minutes and in fifteen: the server's own rules, asked for one area.
 * @module
 */
import { html } from 'lit-html';
import { word } from '../../i18n.js';
import { icon } from '../icons.js';
import { areaName, nameFirst } from '../names.js';
import { whyNot } from './forms.js';

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('../../oncall-api.js').PreviewRow} PreviewRow */
/** @typedef {import('../../oncall-api.js').Reach} Reach */

/** @type {Record<Reach, import('../icons.js').IconName>} */
const MARKS = { proven: 'done', unproven: 'look', none: 'urgent' };

/** Whether somebody's phone is known to work: an icon and a word, never a colour alone. @param {Context} context @param {Reach} reach */
export const reachTag = ({ t }, reach) =>
  html`<span class="reach ${reach}">${icon(MARKS[reach] ?? 'look')}<span>${word(t, 'oncall_reach', reach)}</span></span>`;

/** That nobody is left is said once. @param {PreviewRow[]} rows */
const once = (rows) =>
  rows.filter(({ kind }, at) => kind !== 'nobody' || rows[at - 1]?.kind !== 'nobody');

/**
 * @param {Context} context
 * @param {import('../../oncall-api.js').OncallApi} api
 */
export function createPreview(context, api) {
  const { store, t, draw, clocks } = context;
  let area = '';
  /** @type {PreviewRow[] | null} */
  let rows = null;
  let problem = '';
  let asked_ms = 0;
  let round = 0;

  /** @param {string} code */
  const ask = async (code) => {
    area = code;
    const mine = ++round;
    try {
      const answer = await api.preview(code);
      if (mine !== round) return;
      rows = answer;
      asked_ms = context.now();
      problem = '';
    } catch (error) {
      if (mine !== round) return;
      problem = whyNot(context, error);
      // What was true for another area or an hour ago is not who would be woken now.
      rows = null;
    }
    draw();
  };

  /** @param {PreviewRow} row */
  const who = ({ kind, person }) =>
    person ? nameFirst(context, person) : word(t, 'alert_via', kind);

  return {
    /** Again, when the rota changed or the network is back. */
    refresh: () => (area ? ask(area) : undefined),
    /** @param {string[]} areas codes, the first is asked when none was chosen yet */
    render(areas) {
      const online = store.status().connection === 'online';
      if (!online) return html`<p class="hint" role="status">${t('oncall_preview_offline')}</p>`;
      if (!area && areas[0]) void ask(areas[0]);
      return html`<label class="field"
          ><span>${t('oncall_preview_area')}</span>
          <select @change=${(/** @type {Event} */ event) => ask(/** @type {HTMLSelectElement} */ (event.target).value)}>
            ${areas.map((code) => html`<option value=${code} ?selected=${code === area}>${areaName(context, code)}</option>`)}
          </select></label
        >
        <div role="status">
          ${
            problem
              ? html`<p class="problem">${icon('look')}${problem}</p>`
              : rows
                ? html`<ol class="preview">
                      ${once(rows).map(
                        (row) =>
                          html`<li>
                            <span class="when">${row.minutes ? t('oncall_in', { n: row.minutes }) : t('oncall_now')}</span>
                            <div>
                              <strong>${row.kind === 'nobody' ? icon('look') : ''}<span>${who(row)}</span></strong>
                              <p class="hint">${row.kind === 'skipped' ? `${t('oncall_skipped')}. ` : ''}${word(t, 'oncall_why', row.why.code)}</p>
                              ${row.reach && row.kind !== 'skipped' ? html`<p>${reachTag(context, row.reach)}</p>` : ''}
                            </div>
                          </li>`,
                      )}
                    </ol>
                    <p class="hint">${t('oncall_preview_asked', { time: clocks.time(asked_ms) })}</p>`
                : html`<p class="hint">${t('oncall_asking')}</p>`
          }
        </div>`;
    },
  };
}
