/**
 * The hall's page and its board: what changes appears by itself. Without this script a link refreshes the page.
 * @module
 */

/**
 * @typedef {object} Question
 * @property {string} id
 * @property {boolean} [gone]
 * @property {string} text
 * @property {string} topic
 * @property {string} agenda
 * @property {number} asked_ms
 * @property {number} support
 * @property {string} fate
 * @property {string} fate_text
 */

/** A moment of unrest on the line is no news. */
const PATIENCE_MS = 4_000;

const list = /** @type {HTMLElement | null} */ (document.querySelector('#questions'));
const template = /** @type {HTMLTemplateElement | null} */ (
  document.querySelector('#question-row')
);
const words = document.querySelector('#words');
const board = document.body.classList.contains('board');

/** @param {string} selector @param {number} [n] */
const word = (selector, n) =>
  (words?.querySelector(selector)?.textContent ?? '').trim().replace('{n}', String(n));

/** @param {Element} row @param {string} selector @param {string} text @param {boolean} [hidden] */
function write(row, selector, text, hidden = false) {
  const found = /** @type {HTMLElement | null} */ (row.querySelector(selector));
  if (!found) return;
  if (found.textContent !== text) found.textContent = text;
  found.hidden = hidden;
}

/** The newest first, as they were asked. @param {HTMLElement} row @param {number} asked_ms */
function place(row, asked_ms) {
  const later = [...(list?.children ?? [])].find(
    (other) => Number(/** @type {HTMLElement} */ (other).dataset.asked) <= asked_ms,
  );
  list?.insertBefore(row, later ?? null);
}

/** @param {Question} question */
function show(question) {
  const known = document.getElementById(`q-${question.id}`);
  if (question.gone) return known?.remove();
  let row = known;
  if (!row) {
    row = /** @type {HTMLElement | null} */ (
      template?.content.firstElementChild?.cloneNode(true) ?? null
    );
    if (!row) return;
    row.id = `q-${question.id}`;
    row.dataset.asked = String(question.asked_ms);
    row.classList.add('new');
    const form = row.querySelector('form');
    form?.setAttribute('action', (form.getAttribute('action') ?? '').replace('ID', question.id));
    const button = row.querySelector('button');
    button?.setAttribute('aria-label', `${button.textContent}: ${question.text}`);
    place(row, question.asked_ms);
  }
  write(row, '.about', question.agenda || question.topic, !question.agenda && !question.topic);
  write(row, '.asked', question.text);
  const fate = row.querySelector('.fate');
  if (fate) fate.className = `fate ${question.fate}`;
  write(row, '.fate strong', word(`[data-fate="${CSS.escape(question.fate)}"]`));
  write(row, '.fate span', question.fate_text);
  write(row, '.count', word('[data-count]', question.support), !question.support);
}

/** The first question on the board that is shown, counted from the newest. */
let first = 0;

function fit() {
  const rows = /** @type {HTMLElement[]} */ ([...(list?.children ?? [])]);
  const none = /** @type {HTMLElement | null} */ (document.querySelector('.none'));
  if (none) none.hidden = rows.length > 0;
  if (!board || !list) return;
  first = Math.max(0, Math.min(first, rows.length - 1));
  // Whole questions only: half a sentence in eight-metre type is a puzzle.
  for (const [i, row] of rows.entries()) row.hidden = i < first;
  const bottom = list.getBoundingClientRect().bottom;
  let hidden = 0;
  for (const [i, row] of rows.entries()) {
    if (i <= first) continue;
    // After the first that does not fit nothing is shown, so that none is passed over.
    if (hidden || row.getBoundingClientRect().bottom > bottom) {
      row.hidden = true;
      hidden += 1;
    }
  }
  const more = /** @type {HTMLElement | null} */ (document.querySelector('.more'));
  if (more) {
    more.hidden = !hidden;
    more.textContent = word('[data-more]', hidden);
  }
}

/** Another page of questions. @param {1 | -1} step */
function turn(step) {
  const shown = [...(list?.children ?? [])].filter(
    (row) => !(/** @type {HTMLElement} */ (row).hidden),
  ).length;
  first += step * Math.max(1, shown);
  fit();
}

/** What a presenter's remote sends, and the keys of a keyboard beside it. @type {Record<string, () => void>} */
const keys = {
  PageDown: () => turn(1),
  ArrowRight: () => turn(1),
  ArrowDown: () => turn(1),
  PageUp: () => turn(-1),
  ArrowLeft: () => turn(-1),
  ArrowUp: () => turn(-1),
  Home: () => {
    first = 0;
    fit();
  },
  b: () => void document.body.classList.toggle('blank'),
  '.': () => void document.body.classList.toggle('blank'),
  F5: () => void document.documentElement.requestFullscreen?.().catch(() => {}),
};

function listen() {
  if (!list?.dataset.stream) return;
  const lost = /** @type {HTMLElement | null} */ (document.querySelector('#lost'));
  let after = Number(list.dataset.after);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let patience;
  const source = new EventSource(`${list.dataset.stream}?after=${after}`);
  source.addEventListener('open', () => {
    clearTimeout(patience);
    patience = undefined;
    if (lost) lost.hidden = true;
  });
  source.addEventListener('error', () => {
    // From the first failure: the browser tries again every few seconds, and each try fails.
    patience ??= setTimeout(() => {
      if (lost) lost.hidden = false;
    }, PATIENCE_MS);
    // A server that answers with an error ends the stream for good; it may be back later.
    if (source.readyState === EventSource.CLOSED) {
      list.dataset.after = String(after);
      setTimeout(listen, PATIENCE_MS);
    }
  });
  source.addEventListener('board', (event) => {
    const said = JSON.parse(/** @type {MessageEvent} */ (event).data);
    after = said.seq;
    for (const question of said.questions) show(question);
    fit();
    // The form appears, or goes: only the server draws that, and never under somebody's hands.
    if (said.state !== list.dataset.state) {
      list.dataset.state = said.state;
      const typed = /** @type {HTMLTextAreaElement | null} */ (document.querySelector('textarea'));
      if (!typed?.value) location.reload();
    }
  });
}

listen();
fit();
for (const hint of document.querySelectorAll('.live')) {
  /** @type {HTMLElement} */ (hint).hidden = false;
}
if (board) {
  addEventListener('resize', fit);
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]?.();
  });
  // Fonts change how much fits.
  void document.fonts?.ready.then(fit);
  // A projector that goes dark ends the evening.
  const awake = () =>
    document.visibilityState === 'visible' &&
    void navigator.wakeLock?.request('screen').catch(() => {});
  document.addEventListener('visibilitychange', awake);
  awake();
}
