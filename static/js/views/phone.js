/**
 * Deze telefoon: what is stored, where she is signed in, how it looks, and leaving.
 * @module
 */
import { html } from 'lit-html';
import { word } from '../i18n.js';
import { size } from './clocks.js';
import { confirm, showDialog } from './dialogs.js';
import { icon } from './icons.js';
import { may } from './names.js';
import { saveFile } from './outbox.js';
import { shortcuts } from './keys.js';
import { createPushSection } from './push.js';

/** @typedef {import('./types.js').Context} Context */

/** @param {Context} context */
export function createPhone(context) {
  const { store, t, clocks, language, draw } = context;
  /** @type {import('./types.js').StorageReport | null} */
  let report = null;
  /** @type {import('./types.js').Device[] | null} */
  let devices = null;
  let over = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pause;
  const number = new Intl.NumberFormat(language === 'en' ? 'en-GB' : 'nl-NL');

  const load = async () => {
    report = await store.storage();
    if (!over) draw();
  };
  const loadDevices = async () => {
    try {
      devices = await store.devices();
    } catch {
      devices = null;
    }
    if (!over) draw();
  };
  const unsubscribe = store.subscribe(() => {
    clearTimeout(pause);
    pause = setTimeout(load, 1000);
  });
  const first = load();
  const push = createPushSection(context);
  void loadDevices();

  /** @param {import('./types.js').Device} device */
  const revoke = async (device) => {
    const yes = await confirm(context, {
      title: t('device_revoke_ask', { name: device.name }),
      text: t('device_revoke_help'),
      yes: t('device_revoke'),
      danger: true,
    });
    if (!yes) return;
    try {
      await store.revokeDevice(device.id);
      context.toast(t('device_revoked'));
    } catch {
      context.toast(t('failed'));
    }
    await loadDevices();
  };

  const signOut = async () => {
    const unsent = await store.unsent();
    if (!unsent) {
      if (
        !(await confirm(context, {
          title: t('sign_out_ask'),
          text: `${t('sign_out_help')} ${t('sign_out_drafts')}`,
          yes: t('sign_out'),
        }))
      )
        return;
    } else {
      const dialog = showDialog(
        () =>
          html`<p>${t('sign_out_unsent_help')}</p>
            <form method="dialog" class="buttons">
              <button class="button primary" value="">${t('sign_out_stay')}</button>
              <button class="button" type="button" @click=${async () => saveFile(await store.exportOutbox(), 'stoep-wachtrij.json')}>${t('export')}</button>
              <button class="button danger" value="yes">${t('sign_out_anyway')}</button>
            </form>`,
        { label: t('sign_out_unsent', { n: unsent }), closeLabel: t('close') },
      );
      if ((await dialog.closed) !== 'yes') return;
    }
    try {
      // Asked and answered above; drafts were named too.
      await store.signOut({ force: true });
      location.assign('/sign-in');
    } catch {
      context.toast(t('failed'));
    }
  };

  /** @param {import('../i18n.js').Key} label @param {unknown} value */
  const fact = (label, value) =>
    html`<div><dt>${t(label)}</dt><dd class="number">${value}</dd></div>`;
  /** @param {Event} event */
  const value = (event) => /** @type {HTMLSelectElement} */ (event.target).value;

  return {
    first,
    title: () => t('phone'),
    leave() {
      over = true;
      clearTimeout(pause);
      unsubscribe();
      push.leave();
    },
    render() {
      const me = store.me();
      const { lastInStepMs, connection, build, waiting, needsPerson } = store.status();
      const window_days = store.scope()?.window_days;
      const ios = /iPhone|iPad/.test(navigator.userAgent);
      const installed = matchMedia('(display-mode: standalone)').matches;
      return html`<section class="page">
        <h1 tabindex="-1">${t('phone')}</h1>
        <p>${t('signed_in_as', { name: me.name, role: word(t, 'role', me.role) })}</p>
        <h2>${t('work')}</h2>
        <ul class="links">
          <li><a href="/listening">${icon('ear')}<span>${t('listening')}</span>${icon('next')}</a></li>
          ${may(context, 'meet') ? html`<li><a href="/meetings">${icon('contact')}<span>${t('meetings')}</span>${icon('next')}</a></li>` : ''}
          <li><a href="/oncall">${icon('bell')}<span>${t('oncall')}</span>${icon('next')}</a></li>
          <li><a href="/channels">${icon('inbox')}<span>${t('channels')}</span>${icon('next')}</a></li>
          ${may(context, 'rules') ? html`<li><a href="/rules">${icon('urgent')}<span>${t('rules')}</span>${icon('next')}</a></li>` : ''}
        </ul>
        ${push.render()}
        <h2>${t('stored')}</h2>
        <dl class="facts">
          ${fact('stored_conversations', report ? number.format(report.conversations) : '…')}
          ${fact('stored_messages', report ? number.format(report.messages) : '…')}
          ${fact('stored_photos', report ? number.format(report.photos) : '…')}
          ${fact('stored_outbox', number.format(waiting + needsPerson))}
          ${fact('stored_size', report?.usage != null ? t('stored_of', { used: size(report.usage, language), quota: size(report.quota ?? 0, language) }) : '…')}
          ${fact('stored_last', lastInStepMs ? clocks.moment(lastInStepMs) : t('bar_never'))}
        </dl>
        <p class="hint">${window_days ? `${t('stored_window', { n: window_days })}. ` : ''}${report ? t(report.persisted ? 'persisted' : 'not_persisted') : ''}</p>
        <h2>${t('install')}</h2>
        ${
          installed
            ? html`<p>${t('install_done')}</p>`
            : context.canInstall()
              ? html`<p class="hint">${t('install_help')}</p><div class="buttons"><button class="button" @click=${context.install}>${t('install_button')}</button></div>`
              : html`<p class="hint">${t(ios ? 'install_ios' : 'install_menu')}</p>`
        }
        <h2>${t('look_and_language')}</h2>
        <div class="pair">
          <label class="field"
            ><span>${t('language')}</span>
            <select @change=${(/** @type {Event} */ event) => context.prefer({ language: value(event) })}>
              <option value="nl" lang="nl" ?selected=${language === 'nl'}>Nederlands</option>
              <option value="en" lang="en" ?selected=${language === 'en'}>English</option>
            </select></label
          >
          <label class="field"
            ><span>${t('theme')}</span>
            <select @change=${(/** @type {Event} */ event) => context.prefer({ theme: value(event) })}>
              ${/** @type {const} */ (['auto', 'light', 'dark']).map((theme) => html`<option value=${theme} ?selected=${context.theme() === theme}>${t(`theme_${theme}`)}</option>`)}
            </select></label
          >
        </div>
        <label class="check"
          ><input
            type="checkbox"
            .checked=${shortcuts.on()}
            @change=${(/** @type {Event} */ event) => shortcuts.set(/** @type {HTMLInputElement} */ (event.target).checked)}
          /><span>${t('shortcuts_on')}</span></label
        >
        <h2>${t('devices')}</h2>
        ${
          devices
            ? html`<ul class="cards">
              ${devices.map(
                (device) =>
                  html`<li class="card line">
                    <div>
                      <h3>${device.name}</h3>
                      <p class="hint">${device.current ? t('device_this') : t('device_seen', { time: device.last_seen_ms ? clocks.moment(device.last_seen_ms) : '?' })}</p>
                    </div>
                    ${device.current ? '' : html`<button class="button danger" aria-label="${t('device_revoke')}: ${device.name}" @click=${() => revoke(device)}>${t('device_revoke')}</button>`}
                  </li>`,
              )}
            </ul>`
            : html`<p class="hint">${connection === 'online' ? t('failed') : t('devices_offline')}</p>`
        }
        <h2>${t('sign_out')}</h2>
        <p class="hint">${t('sign_out_help')}</p>
        <div class="buttons"><button class="button danger" @click=${signOut}>${t('sign_out')}</button></div>
        ${build ? html`<p class="hint version">${t('version', { build })}</p>` : ''}
      </section>`;
    },
  };
}
