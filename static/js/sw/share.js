/**
 * Another app shares text or photos with this one (the manifest's share target). They are kept on the phone before
 * anything else happens, so that sharing works without a network; the screen for contact notes takes them from there.
 */

import { openOutbox } from '../db.js';
import { readDevice } from '../device.js';

const MAX_FILES = 10;
const MAX_CHARS = 20_000;

export const SHARE = '/share';

/** @param {Request} request @returns {Promise<Response>} */
export async function takeShare(request) {
  try {
    const device = await readDevice();
    if (!device?.person_id) return Response.redirect('/', 303);
    await keep(device.person_id, await request.formData());
    return Response.redirect('/new?shared=1', 303);
  } catch {
    // Full storage, or a form that was cut: what was shared is still where it came from.
    return Response.redirect('/new?shared=failed', 303);
  }
}

/** @param {string} personId @param {FormData} form */
async function keep(personId, form) {
  const said = ['title', 'text', 'url'].map((name) => String(form.get(name) ?? '').trim());
  // Apps put the address in the text, or in both.
  const parts = said.filter((part, at) => part && !said.some((other, i) => i !== at && other.includes(part) && (other !== part || i < at)));
  const files = form.getAll('photos').filter((file) => file instanceof File && file.size && file.type.startsWith('image/'));
  const disk = await openOutbox(indexedDB, personId);
  try {
    await disk.write(
      ['drafts'],
      async (tx) => {
        const waiting = await tx.get('drafts', 'shared');
        const text = [waiting?.text, ...parts].filter(Boolean).join('\n').slice(0, MAX_CHARS);
        const all = [...(waiting?.files ?? []), ...files].slice(0, MAX_FILES);
        tx.put('drafts', { text, files: all, attachments: [], based_on: null, updated_ms: Date.now() }, 'shared');
      },
      { strict: true },
    );
  } finally {
    disk.close();
  }
}
