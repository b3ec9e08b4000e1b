/**
 * What a page may know before any database is open: whose phone this probably is, and how she likes it to look. It only
 * saves time: nothing is shown before the device's record agrees. The worker has no such storage, so it can outlive that
 * record; then it costs a request.
 */

export const KNOWN = 'stoep-known';

/** @returns {{person_id?: string, language?: string, theme?: string}|null} */
export function readCopy() {
  try {
    return JSON.parse(localStorage.getItem(KNOWN) ?? 'null');
  } catch {
    return null;
  }
}

/** @param {{person_id?: string, language?: string, theme?: string}|null} record  of the device */
export function writeCopy(record) {
  try {
    if (!record?.person_id) return globalThis.localStorage?.removeItem(KNOWN);
    const { person_id, language, theme } = record;
    globalThis.localStorage?.setItem(KNOWN, JSON.stringify({ person_id, language, theme }));
  } catch {
    // Not allowed: the next start asks for more than it needs.
  }
}
