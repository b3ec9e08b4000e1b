/**
 * Photos on the screen: addresses are asked for once and the picture appears when it is there; its place is kept free meanwhile.
 * @module
 */
import { html, nothing } from 'lit-html';
import { showDialog } from './dialogs.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Attachment} Attachment */

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
          ? html`<img class="full" src=${url} alt=${label} width=${photo.width ?? nothing} height=${photo.height ?? nothing} />`
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
    /** @param {Attachment} attachment @param {string} from */
    render(attachment, from) {
      if (!attachment.type.startsWith('image/'))
        return html`<a class="button" href="/api/v1/attachments/${attachment.id}" download target="_blank">${t('file', { name: attachment.name })}</a>`;
      const url = thumb(attachment.id);
      const label = t('photo_of', { name: from });
      const wide = (attachment.width ?? 4) >= (attachment.height ?? 3);
      return html`<button class="photo ${wide ? 'wide' : 'tall'}" type="button" aria-label=${label} @click=${() => open(attachment, label)}>
        ${url ? html`<img src=${url} alt="" />` : html`<span>${t('photo')}</span>`}
      </button>`;
    },
  };
}
