/** @import { OutboxPhoto } from './types.js' */

const MAX_SIDE_PX = 1600;
const QUALITY = 0.82;

/**
 * Draw a photo again, no larger than needed. Only pixels survive a canvas, so its EXIF data (the place) is gone.
 * @param {Blob & {name?: string}} file
 * @returns {Promise<OutboxPhoto>}
 */
export async function shrink(file) {
  const image = await createImageBitmap(file, { imageOrientation: 'from-image' });
  const scale = Math.min(1, MAX_SIDE_PX / Math.max(image.width, image.height));
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d');
  if (!context) throw new Error('no canvas');
  context.drawImage(image, 0, 0, width, height);
  image.close();
  const blob = /** @type {Blob|null} */ (
    await new Promise((done) => canvas.toBlob(done, 'image/jpeg', QUALITY))
  );
  if (!blob) throw new Error('no photo');
  const name = (file.name ?? 'foto').replace(/\.[^.]*$/, '') + '.jpg';
  return { blob, type: 'image/jpeg', name, uploaded_bytes: 0, width, height };
}
