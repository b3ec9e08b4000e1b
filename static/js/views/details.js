/**
 * What is known about a conversation, and changing it: a sheet from below on a phone, from the side on a tablet.
 * @module
 */
import { html } from 'lit-html';
import { word } from '../i18n.js';
import { createActions } from './actions.js';
import { showDialog } from './dialogs.js';
import { icon } from './icons.js';
import { areaName, channelName, choosableAreas, may, residentName } from './names.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Head} Head */

/**
 * @param {Context} context
 * @param {() => Head | undefined} current
 */
export function openDetails(context, current) {
  const { store, t } = context;
  const { act, take, taking, finish } = createActions(context);
  /** @type {string | null} */
  let reason = null;

  /** @param {Event} event */
  const value = (event) => /** @type {HTMLSelectElement} */ (event.target).value;

  const dialog = showDialog(
    () => {
      const head = current();
      if (!head) return html``;
      const allowed = may(context, 'assign');
      const people = /** @type {import('./types.js').Person[]} */ (store.refs('person'))
        .filter((person) => person.active || person.id === head.assignee)
        .sort((a, b) => a.name.localeCompare(b.name));
      const areas = choosableAreas(context);
      const me = store.me().id;
      return html`
        ${
          allowed
            ? html`<div class="buttons">
              <button class="button" @click=${() => (void take(head), dialog.close())}>${icon('take')}${t(taking(head))}</button>
              <button class="button" @click=${() => (void finish(head), dialog.close())}>
                ${icon('done')}${head.status === 'closed' ? t('reopen') : t('finish')}
              </button>
            </div>`
            : html`<p class="hint">${t('may_not')}</p>`
        }
        <fieldset class="form" ?disabled=${!allowed}>
          <label class="field"
            ><span>${t('status')}</span>
            <select @change=${(/** @type {Event} */ event) => act(head, 'status', { status: value(event) })}>
              ${head.status === 'new' || head.status === 'reopened' ? html`<option value="" selected disabled>${word(t, 'status', head.status)}</option>` : ''}
              ${['open', 'waiting', 'closed'].map((one) => html`<option value=${one} ?selected=${one === head.status}>${word(t, 'status', one)}</option>`)}
            </select></label
          >
          <label class="field"
            ><span>${t('assignee')}</span>
            <select @change=${(/** @type {Event} */ event) => act(head, 'assign', { person: value(event) || null })}>
              <option value="" ?selected=${!head.assignee}>${t('nobody')}</option>
              ${people.map((person) => html`<option value=${person.id} ?selected=${person.id === head.assignee}>${person.name}${person.id === me ? ` (${t('you')})` : ''}</option>`)}
            </select></label
          >
          <label class="field"
            ><span>${t('area')}</span>
            <select @change=${(/** @type {Event} */ event) => act(head, 'area', { area: value(event) })}>
              ${areas.some((area) => area.code === head.area) ? '' : html`<option value="" selected disabled>${areaName(context, head.area)}</option>`}
              ${areas.map((area) => html`<option value=${area.code} ?selected=${area.code === head.area}>${area.name}</option>`)}
            </select></label
          >
          <div class="field">
            <span id="topics-label">${t('topics')}</span>
            <div class="chips wrap">
              ${head.topics.map(
                (topic) =>
                  html`<button class="chip" type="button" aria-label=${t('topic_remove', { name: topic })} @click=${() => act(head, 'topics', { add: [], remove: [topic] })}>
                    ${topic}${icon('close')}
                  </button>`,
              )}
            </div>
            <form
              class="inline"
              @submit=${(/** @type {SubmitEvent} */ event) => {
                event.preventDefault();
                const input = /** @type {HTMLInputElement} */ (
                  /** @type {HTMLFormElement} */ (event.target).elements.namedItem('topic')
                );
                const topic = input.value.trim();
                if (topic && !head.topics.includes(topic))
                  void act(head, 'topics', { add: [topic], remove: [] });
                input.value = '';
              }}
            >
              <input name="topic" maxlength="60" autocomplete="off" aria-label=${t('topic_add')} placeholder=${t('topic_add')} />
              <button class="button">${t('add')}</button>
            </form>
          </div>
          <label class="check"
            ><input
              type="checkbox"
              .checked=${head.urgent || reason !== null}
              @change=${(/** @type {Event} */ event) => {
                if (/** @type {HTMLInputElement} */ (event.target).checked) reason = '';
                else {
                  reason = null;
                  if (head.urgent) void act(head, 'urgent', { urgent: false, reason: '' });
                }
                dialog.update();
                /** @type {HTMLInputElement | null} */ (
                  dialog.element.querySelector('[name=reason]')
                )?.focus();
              }}
            />${icon('urgent')}<span>${t('urgent_on')}${head.urgent && head.urgent_reason ? `: ${head.urgent_reason}` : ''}</span></label
          >
          ${
            reason !== null && !head.urgent
              ? html`<form
                class="inline"
                @submit=${(/** @type {SubmitEvent} */ event) => {
                  event.preventDefault();
                  const input = /** @type {HTMLInputElement} */ (
                    /** @type {HTMLFormElement} */ (event.target).elements.namedItem('reason')
                  );
                  void act(head, 'urgent', { urgent: true, reason: input.value.trim() });
                  reason = null;
                }}
              >
                <input name="reason" required maxlength="200" autocomplete="off" aria-label=${t('urgent_reason')} placeholder=${t('urgent_reason_hint')} />
                <button class="button">${t('save')}</button>
              </form>`
              : ''
          }
        </fieldset>
        <dl class="facts">
          <div><dt>${word(t, 'kind', head.resident.kind)}</dt><dd>${residentName(context, head)}</dd></div>
          ${head.resident.address ? html`<div><dt>${t('contact')}</dt><dd>${head.resident.address}</dd></div>` : ''}
          <div><dt>${t('channel')}</dt><dd>${channelName(context, head)}</dd></div>
          ${head.place ? html`<div><dt>${t('place')}</dt><dd>${head.place}</dd></div>` : ''}
          ${head.number ? html`<div><dt>${t('number')}</dt><dd class="number">${head.number}</dd></div>` : ''}
        </dl>
      `;
    },
    { label: t('details_of'), sheet: true, closeLabel: t('close') },
  );
  return dialog;
}
