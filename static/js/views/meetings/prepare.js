/**
 * "Ga de wijk in": brings what is needed in the hall onto this device, and says what is here and how old it is.
 * @module
 */

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('../../meetings/model.js').Meeting} Meeting */

/**
 * @typedef {object} Ready
 * @property {number} conversations open ones in the area
 * @property {number} whole how many of them are here with all that was said
 * @property {number} wanted photos with them
 * @property {number} photos of those, how many are here
 * @property {number} templates
 * @property {number} guidelines
 * @property {number} contacts
 * @property {number} colleagues
 * @property {number} bytes
 * @property {boolean} qr
 * @property {boolean} persisted
 * @property {boolean} online
 * @property {number | null} in_step_ms
 */

const MOST_PHOTOS = 200;
const PATIENCE_MS = 20_000;

/** Counts only: nothing that a resident said. @param {string} meeting */
const key = (meeting) => `meeting-ready-${meeting}`;
/** @param {string} code */
const qrKey = (code) => `meeting-qr-${code}`;

/** What was here when it was last got ready. @param {string} meeting @returns {Ready | null} */
export function prepared(meeting) {
  try {
    return JSON.parse(localStorage.getItem(key(meeting)) ?? 'null');
  } catch {
    return null;
  }
}

/** The picture of the hall's address, kept for a hall without a network. @param {string} code */
export const keptQr = (code) => localStorage.getItem(qrKey(code));

/** @param {Context} context @param {Meeting} meeting @returns {Promise<Ready>} */
export async function prepare(context, meeting) {
  const { store } = context;
  const online = await inStep(context);
  const persisted = (await navigator.storage?.persist?.().catch(() => false)) ?? false;
  const heads = store.list({ filter: 'all', area: meeting.area });
  let whole = 0;
  let bytes = 0;
  /** @type {string[]} */
  const wanted = [];
  for (const head of heads) {
    const view = await store.conversation(head.id);
    if (view.complete) whole += 1;
    bytes += new Blob([JSON.stringify([head, view.messages])]).size;
    for (const { attachments } of view.messages)
      for (const one of attachments) if (one.width) wanted.push(one.id);
  }
  let photos = 0;
  for (const id of wanted.slice(0, MOST_PHOTOS)) {
    try {
      const url = await store.photoUrl(id, { thumb: true });
      bytes += (await (await fetch(url)).blob()).size;
      photos += 1;
    } catch {
      // Not here, and no network to fetch it by: it is counted as missing.
    }
  }
  /** @param {string} kind */
  const refs = (kind) => store.refs(kind);
  const kinds = ['template', 'guideline', 'partner', 'person'];
  const [templates, guidelines, contacts, colleagues] = kinds.map((kind) => refs(kind));
  bytes += new Blob([JSON.stringify([templates, guidelines, contacts, colleagues])]).size;
  const ready = {
    conversations: heads.length,
    whole,
    wanted: Math.min(wanted.length, MOST_PHOTOS),
    photos,
    templates: templates?.length ?? 0,
    guidelines: guidelines?.length ?? 0,
    contacts: contacts?.length ?? 0,
    colleagues: colleagues?.length ?? 0,
    bytes,
    qr: await fetchQr(meeting.code),
    persisted,
    online,
    in_step_ms: store.status().lastInStepMs,
  };
  try {
    localStorage.setItem(key(meeting.id), JSON.stringify(ready));
  } catch {
    // It is said now, and worked out again the next time.
  }
  return ready;
}

/** Wait until this device is in step with the server; false without an answer. @param {Context} context @returns {Promise<boolean>} */
function inStep({ store, now }) {
  const began_ms = now();
  store.sendNow();
  return new Promise((resolve) => {
    /** @param {boolean} fine */
    const end = (fine) => {
      clearTimeout(timer);
      stop();
      resolve(fine);
    };
    const look = () => {
      const { connection, lastInStepMs, progress, syncing } = store.status();
      if (connection !== 'online') end(false);
      else if ((lastInStepMs ?? 0) >= began_ms && !progress && !syncing) end(true);
    };
    const timer = setTimeout(() => end(false), PATIENCE_MS);
    const stop = store.subscribe(look);
    setTimeout(look, 1_000);
  });
}

/** @param {string} code */
async function fetchQr(code) {
  if (!code) return false;
  try {
    const answer = await fetch(`/m/${code}/qr.svg`);
    if (answer.ok && answer.headers.get('content-type')?.startsWith('image/svg+xml'))
      localStorage.setItem(qrKey(code), await answer.text());
  } catch {
    // The one that is kept still holds.
  }
  return keptQr(code) !== null;
}
