/**
 * Swiping a row aside. A short cut only: each action is also a button, because dragging isn't for every hand (WCAG 2.5.7).
 * @module
 */

const START_PX = 12;
const NEAR_PX = 72;
const FAR_PX = 168;

/**
 * Which action a swipe of `dx` pixels means. Pure.
 * @param {number} dx right is positive
 * @returns {'take' | 'read' | 'finish' | null}
 */
export function swipeMeaning(dx) {
  if (dx <= -NEAR_PX) return 'take';
  if (dx >= FAR_PX) return 'finish';
  return dx >= NEAR_PX ? 'read' : null;
}

/**
 * @param {HTMLElement} list
 * @param {{label: (id: string, meaning: 'take' | 'read' | 'finish') => string | null, act: (id: string, meaning: 'take' | 'read' | 'finish') => void}} options
 *   `label` answers null when the action makes no sense for this row
 */
export function watchSwipes(list, { label, act }) {
  /** @type {{row: HTMLElement, slide: HTMLElement, x: number, y: number, dx: number, on: boolean} | null} */
  let swipe = null;

  const end = () => {
    if (!swipe) return;
    const { row, slide } = swipe;
    swipe = null;
    row.classList.remove('swiping');
    delete row.dataset.swipe;
    delete row.dataset.meaning;
    slide.style.transform = '';
    // An empty style attribute would travel into the snapshot, where the policy refuses it.
    slide.removeAttribute('style');
  };

  list.addEventListener('pointerdown', (event) => {
    if (event.pointerType === 'mouse' || !(event.target instanceof Element)) return;
    const row = /** @type {HTMLElement | null} */ (event.target.closest('[data-id]'));
    const slide = /** @type {HTMLElement | null} */ (row?.querySelector('.slide'));
    if (row && slide) swipe = { row, slide, x: event.clientX, y: event.clientY, dx: 0, on: false };
  });
  list.addEventListener('pointermove', (event) => {
    if (!swipe) return;
    const dx = event.clientX - swipe.x;
    if (!swipe.on) {
      if (Math.abs(event.clientY - swipe.y) > START_PX) return end();
      if (Math.abs(dx) < START_PX) return;
      swipe.on = true;
      list.setPointerCapture(event.pointerId);
      swipe.row.classList.add('swiping');
    }
    swipe.dx = dx;
    const meaning = swipeMeaning(dx);
    const text = meaning && label(swipe.row.dataset.id ?? '', meaning);
    swipe.row.dataset.swipe = text ?? '';
    swipe.row.dataset.meaning = text ? (meaning ?? '') : '';
    swipe.slide.style.transform = `translateX(${dx}px)`;
  });
  list.addEventListener('pointerup', () => {
    if (!swipe) return;
    const { row, on } = swipe;
    const meaning = on ? row.dataset.meaning : '';
    end();
    if (meaning) act(row.dataset.id ?? '', /** @type {'take' | 'read' | 'finish'} */ (meaning));
    // The click that follows a swipe must not open the conversation.
    if (on)
      list.addEventListener('click', (event) => event.preventDefault(), {
        capture: true,
        once: true,
      });
    if (on) setTimeout(() => list.dispatchEvent(new Event('click')), 0);
  });
  list.addEventListener('pointercancel', end);
}
