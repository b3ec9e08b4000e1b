/**
 * Meldingen bij spoed: whether this phone can be woken, how that is known, and what to do when it can't.
 * @module
 */
import { html } from 'lit-html';
import { createPush } from '../push.js';
import { browserOf } from '../subscription.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('../push.js').DeviceHealth} DeviceHealth */

const UNITS = /** @type {[Intl.RelativeTimeFormatUnit, number][]} */ ([
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
]);

/**
 * Where a browser keeps the switch that she has to turn.
 * @param {ReturnType<typeof browserOf>} seen
 */
export function whereDenied({ browser, platform }) {
  if (platform === 'ios') return 'ios';
  if (platform === 'android') return browser === 'firefox' ? 'android_firefox' : 'android';
  return browser === 'firefox' || browser === 'safari' ? browser : 'desktop';
}

/**
 * "3 minuten geleden".
 * @param {string} language
 * @param {number} then
 * @param {number} now
 * @param {string} justNow
 */
export function ago(language, then, now, justNow) {
  const passed = Math.max(0, now - then);
  const [unit, ms] = UNITS.find(([, length]) => passed >= length) ?? [];
  if (!unit || !ms) return justNow;
  return new Intl.RelativeTimeFormat(language, { numeric: 'always' }).format(
    -Math.floor(passed / ms),
    unit,
  );
}

/** @param {Context} context */
export function createPushSection({ t, language, draw, now }) {
  const push = createPush(draw);
  void push.look();
  const { platform } = browserOf(navigator);

  /** @param {DeviceHealth | undefined} device */
  const proven = (device) =>
    device?.proven_ms
      ? t('push_proven', { ago: ago(language, device.proven_ms, now(), t('push_just_now')) })
      : t('push_never_proven');

  const sentence = () => {
    switch (push.stand()) {
      case 'install':
        return t('push_install');
      case 'unsupported':
        return t('push_unsupported');
      case 'denied':
        return t('push_denied');
      case 'off':
        return t('push_off');
      case 'unknown':
        return t('push_unknown');
      case 'gone':
        return t('push_gone');
      case 'silent':
        return `${t('push_silent')} ${proven(push.mine())}`;
      case 'unproven':
        return push.mine()?.proven_ms
          ? `${proven(push.mine())} ${t('push_stale')}`
          : t('push_unproven');
      default:
        return proven(push.mine());
    }
  };

  const news = () => {
    switch (push.doing()) {
      case 'busy':
        return t('push_busy');
      case 'testing':
        return t('push_testing');
      case 'arrived':
        return t('push_arrived');
      case 'not_arrived':
        return t('push_not_arrived');
      case 'no_service':
        return t('push_no_service');
      case 'failed':
        return t('push_failed');
      default:
        return '';
    }
  };

  const buttons = () => {
    const stand = push.stand();
    const busy = push.doing() === 'busy';
    const testing = busy || push.doing() === 'testing';
    const broken = stand === 'gone' || stand === 'silent' || push.doing() === 'not_arrived';
    if (stand === 'off')
      return html`<button class="button primary" ?disabled=${busy} @click=${push.turnOn}>
        ${t('push_turn_on')}
      </button>`;
    if (!broken && !['unproven', 'proven', 'unknown'].includes(stand)) return '';
    return html`
      ${broken ? html`<button class="button primary" ?disabled=${busy} @click=${push.repair}>${t('push_repair')}</button>` : ''}
      ${stand === 'gone' ? '' : html`<button class="button" ?disabled=${testing} @click=${push.test}>${t('push_test')}</button>`}
      <button class="button quiet" ?disabled=${busy} @click=${push.turnOff}>
        ${t('push_turn_off')}
      </button>
    `;
  };

  return {
    leave: push.close,
    render() {
      const stand = push.stand();
      const others = push.others();
      return html`<h2 id="push">${t('push')}</h2>
        <p class="push-stand" data-stand=${stand}>${sentence()}</p>
        ${stand === 'denied' ? html`<p class="hint">${t(`push_denied_${whereDenied(browserOf(navigator))}`)}</p>` : ''}
        ${stand === 'unsupported' && platform === 'ios' ? html`<p class="hint">${t('push_unsupported_ios')}</p>` : ''}
        <p class="hint" role="status">${news()}</p>
        ${stand === 'silent' || push.doing() === 'not_arrived' ? html`<p class="hint">${t(`push_help_${platform}`)}</p>` : ''}
        <div class="buttons">${buttons()}</div>
        ${
          others.length
            ? html`<h3>${t('push_others')}</h3>
                <ul class="plain">
                  ${others.map((device) => html`<li class="hint">${device.name}: ${device.state === 'silent' ? `${t('push_other_silent')} ` : ''}${proven(device)}</li>`)}
                </ul>`
            : ''
        }`;
    },
  };
}
