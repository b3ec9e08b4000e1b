/**
 * Photos on the screen: addresses are asked for once and the picture appears when it is there; its place is kept free meanwhile.
 * @module
 */
import { html, nothing } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { showDialog } from './dialogs.js';
import { icon } from './icons.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Attachment} Attachment */

/** A photo of a draft. @typedef {{id: string, type: string, name: string, alt?: string}} Written */

const MAX_ALT_CHARS = 1000;

/** @param {Context} context */
export function createPhotos(context) {
  const { store, t, draw } = context;
  /** @type {Map<string, string | null>} */
  const urls = new Map();

  /** @param {string} id */
  const thumb = (id) => {
    if (urls.has(id)) return urls.get(id);
    urls.set(id, null);
    store.photoUrl(id, { thumb: true }).then(
      (url) => {
        urls.set(id, url);
        draw();
      },
      // Not on this phone and no network: asked again at the next visit.
      () => urls.delete(id),
    );
    return null;
  };

  /** @param {Attachment} photo @param {string} label */
  const open = async (photo, label) => {
    /** @type {string | null} */
    let url = null;
    let failed = false;
    const dialog = showDialog(
      () =>
        url
          ? html`<img class="full" src=${url} alt=${photo.alt || label} width=${photo.width ?? nothing} height=${photo.height ?? nothing} />
              ${photo.alt ? html`<p class="hint" dir="auto" aria-hidden="true">${photo.alt}</p>` : ''}`
          : html`<p>${failed ? t('photo_missing') : t('photo_loading')}</p>`,
      { label, closeLabel: t('close') },
    );
    dialog.element.classList.add('picture');
    try {
      url = await store.photoUrl(photo.id);
    } catch {
      failed = true;
    }
    dialog.update();
  };

  return {
    thumb,
    /**
     * The photos of what is being written, each with room for what it shows. Typing redraws nothing.
     * @param {Written[]} list
     * @param {{typed: () => void, drop: (photo: Written) => void}} told
     */
    written: (list, { typed, drop }) =>
      html`<ul class="attached">
          ${repeat(
            list,
            (photo) => photo.id,
            (photo, i) =>
              html`<li>
                <span class="thumb">${thumb(photo.id) ? html`<img src=${thumb(photo.id) ?? ''} alt="" />` : t('photo')}</span>
                <label class="field"
                  ><span>${list.length > 1 ? t('photo_alt_n', { n: i + 1 }) : t('photo_alt')}</span
                  ><input
                    type="text"
                    maxlength=${MAX_ALT_CHARS}
                    autocomplete="off"
                    aria-describedby="alt-hint"
                    .value=${photo.alt ?? ''}
                    @input=${(/** @type {Event} */ event) => {
                      photo.alt = /** @type {HTMLInputElement} */ (event.target).value;
                      typed();
                    }}
                /></label>
                <button class="button quiet" type="button" aria-label=${t('photo_remove', { name: photo.name })} @click=${() => drop(photo)}>${icon('close')}</button>
              </li>`,
          )}
        </ul>
        <p class="hint" id="alt-hint">${t('photo_alt_hint')}</p>`,
    /** @param {Attachment} attachment @param {string} from */
    render(attachment, from) {
      if (!attachment.type.startsWith('image/'))
        return html`<a class="button" href="/api/v1/attachments/${attachment.id}" download target="_blank">${t('file', { name: attachment.name })}</a>`;
      const url = thumb(attachment.id);
      const label = t('photo_of', { name: from });
      const wide = (attachment.width ?? 4) >= (attachment.height ?? 3);
      const button = html`<button class="photo ${wide ? 'wide' : 'tall'}" type="button" aria-label=${label} @click=${() => open(attachment, label)}>
        ${url ? html`<img src=${url} alt="" />` : html`<span>${t('photo')}</span>`}
      </button>`;
      return attachment.alt
        ? html`<figure class=${wide ? 'wide' : 'tall'}>${button}<figcaption dir="auto">${attachment.alt}</figcaption></figure>`
        : button;
    },
  };
}
