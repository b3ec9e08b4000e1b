/**
 * One-letter keys on a desktop. They can be switched off (WCAG 2.1.4) and never fire while someone types.
 * @module
 */
const OFF = 'stoep-shortcuts-off';

export const shortcuts = {
  on() {
    try {
      return !localStorage.getItem(OFF);
    } catch {
      return true;
    }
  },
  /** @param {boolean} on */
  set(on) {
    try {
      if (on) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, '1');
    } catch {
      // A browser that keeps no settings keeps the shortcuts.
    }
  },
};

/**
 * @param {Document} document
 * @param {Record<string, () => void>} handlers by key
 */
export function listenKeys(document, handlers) {
  document.addEventListener('keydown', (event) => {
    const target = event.target instanceof HTMLElement ? event.target : null;
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.isComposing ||
      event.defaultPrevented
    )
      return;
    if (target?.closest('input, textarea, select, [contenteditable], dialog')) {
      // Escape leaves the field, so that the letters work again.
      if (event.key === 'Escape' && !target.closest('dialog')) target.blur();
      return;
    }
    const handler = handlers[event.key];
    if (!handler || (event.key !== '?' && !shortcuts.on())) return;
    event.preventDefault();
    handler();
  });
}
