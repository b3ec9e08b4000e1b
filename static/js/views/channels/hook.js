/** The address that a platform calls, to be copied to it. @module */
import { html } from 'lit-html';

/**
 * @param {import('../types.js').Context} context
 * @param {import('./words.js').Say} say
 * @param {string} address
 */
export const hookAddress = ({ toast }, say, address) =>
  html`<div class="hook">
    <p>${say('hook')}</p>
    <label class="field"><span>${say('hook_label')}</span><input readonly .value=${address} @focus=${(/** @type {Event} */ { target }) => /** @type {HTMLInputElement} */ (target).select()} /></label>
    <button class="button" type="button" @click=${() => navigator.clipboard?.writeText(address).then(() => toast(say('copied')))}>${say('copy')}</button>
  </div>`;
