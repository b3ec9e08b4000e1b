/**
 * One sentence at the bottom of the screen, sometimes with a way back.
 * @module
 */
import { html } from 'lit-html';

const STAY_MS = 5000;

/** @typedef {{label: string, run: () => unknown, until_ms?: number}} Action */

/**
 * @param {import('../i18n.js').Translate} t
 * @param {() => void} draw
 * @param {() => number} now
 */
export function createToasts(t, draw, now) {
  /** @type {{text: string, action?: Action, until_ms: number} | null} */
  let current = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const tick = () => {
    clearTimeout(timer);
    if (!current) return;
    const left = current.until_ms - now();
    if (left <= 0) current = null;
    else timer = setTimeout(tick, Math.min(left, 1000));
    draw();
  };

  return {
    /** @param {string} text @param {Action} [action] */
    show(text, action) {
      current = {
        text,
        until_ms: action?.until_ms ?? now() + STAY_MS,
        ...(action ? { action } : {}),
      };
      tick();
    },
    render() {
      // The region is always there: a screen reader hears only what changes inside it.
      if (!current) return html`<div class="toasts" role="status"></div>`;
      const { text, action, until_ms } = current;
      const left = Math.max(1, Math.ceil((until_ms - now()) / 1000));
      return html`<div class="toasts" role="status">
        <div class="toast">
          <span>${text}</span>
          ${
            action
              ? html`<span class="number" aria-hidden="true">${left} s</span
                ><button
                  class="button quiet"
                  type="button"
                  @click=${async () => {
                    current = null;
                    draw();
                    try {
                      await action.run();
                    } catch {
                      this.show(t('maybe_sent'));
                    }
                  }}
                >
                  ${action.label}
                </button>`
              : ''
          }
        </div>
      </div>`;
    },
  };
}
