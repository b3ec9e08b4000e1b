/**
 * The list of shortcuts.
 * @module
 */
import { html } from 'lit-html';
import { showDialog } from './dialogs.js';
import { shortcuts } from './keys.js';

/** @typedef {import('./types.js').Context} Context */

/** @param {Context} context */
export function showKeys({ t }) {
  const rows = /** @type {const} */ ([
    ['j', 'keys_j'],
    ['k', 'keys_k'],
    ['Enter', 'keys_enter'],
    ['r', 'keys_r'],
    ['n', 'keys_n'],
    ['e', 'keys_e'],
    ['/', 'keys_slash'],
    ['Ctrl Enter', 'keys_send'],
    ['?', 'keys_help'],
  ]);
  showDialog(
    () =>
      html`<dl class="facts">${rows.map(([key, label]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${t(label)}</dd></div>`)}</dl>
        <label class="check"
          ><input type="checkbox" .checked=${shortcuts.on()} @change=${(/** @type {Event} */ event) => shortcuts.set(/** @type {HTMLInputElement} */ (event.target).checked)} /><span
            >${t('shortcuts_on')}</span
          ></label
        >`,
    { label: t('keys'), closeLabel: t('close') },
  );
}
