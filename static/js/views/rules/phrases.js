/**
 * Words and phrases as chips: a tap takes one away, what is typed is added, and narrows the list meanwhile.
 * @module
 */
import { html, nothing } from 'lit-html';
import { icon } from '../icons.js';
import { phrasesIn, plain } from './sentences.js';

/** @typedef {import('../types.js').Context} Context */

const SHOWN = 12;
const MOST = 500;
export const MAX_CHARS = 80;

/**
 * @param {Context} context
 * @param {string[]} words
 * @param {{label: import('../../i18n.js').Key, update: () => void}} options
 */
export function createPhrases({ t, announce }, words, { label, update }) {
  let list = [...words];
  let typed = '';
  let whole = false;

  /** @param {string} phrase */
  const remove = (phrase) => {
    list = list.filter((one) => one !== phrase);
    announce(t('rules_word_gone', { word: phrase }));
    update();
  };
  const add = () => {
    const fresh = phrasesIn(typed, list).filter((one) => one.length <= MAX_CHARS);
    if (!fresh.length) return;
    // The newest come first, where she sees them arrive.
    list = [...fresh, ...list];
    typed = '';
    announce(t('rules_words_added', { n: fresh.length }));
    update();
  };

  return {
    /** The phrases, with what was typed and not added yet. */
    all: () => [...phrasesIn(typed, list).filter((one) => one.length <= MAX_CHARS), ...list],
    /** @param {unknown} [problem] */
    render(problem) {
      const wanted = plain(typed);
      const shown = list.filter((one) => !wanted || plain(one).includes(wanted));
      const fresh = phrasesIn(typed, list);
      const most = whole || wanted ? MOST : SHOWN;
      return html`<div class="phrases">
        <label class="field"
          ><span>${t(label)}</span
          ><span class="add">
            <input
              name="word"
              autocomplete="off"
              autocapitalize="none"
              enterkeyhint="done"
              placeholder=${t('rules_word_hint')}
              aria-describedby="wrong-word"
              .value=${typed}
              @input=${(/** @type {Event} */ event) => {
                typed = /** @type {HTMLInputElement} */ (event.target).value;
                update();
              }}
              @paste=${(/** @type {ClipboardEvent} */ event) => {
                // A field of one line would join the lines of a pasted list.
                const pasted = event.clipboardData?.getData('text') ?? '';
                if (!pasted.includes('\n')) return;
                event.preventDefault();
                typed = `${typed}\n${pasted}`;
                add();
              }}
              @keydown=${(/** @type {KeyboardEvent} */ event) => {
                if (event.key !== 'Enter' || event.isComposing) return;
                event.preventDefault();
                add();
              }}
            /><button class="button" type="button" aria-disabled=${fresh.length ? 'false' : 'true'} @click=${add}>${t('rules_word_add')}</button></span
          >${problem ?? nothing}</label
        >
        ${
          shown.length
            ? html`<ul class="chips wrap" aria-label=${t('rules_words')}>
              ${shown
                .slice(0, most)
                .map(
                  (one) =>
                    html`<li><button class="chip" type="button" aria-label=${t('rules_word_remove', { word: one })} @click=${() => remove(one)}><span>${one}</span>${icon('close')}</button></li>`,
                )}
            </ul>`
            : html`<p class="hint">${t(list.length ? 'rules_words_none_like' : 'rules_words_none')}</p>`
        }
        ${
          shown.length > most && !whole
            ? html`<div><button class="button quiet" type="button" @click=${() => {
                whole = true;
                update();
              }}>${t('rules_words_all', { n: shown.length })}</button></div>`
            : nothing
        }
      </div>`;
    },
  };
}
