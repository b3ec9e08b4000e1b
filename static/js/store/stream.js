/**
 * The server's pokes, while the page is seen. No data travels here: a poke only says that there is something to fetch.
 * @param {object} parts
 * @param {string} parts.url
 * @param {(new (url: string) => EventSource)|undefined} parts.Source
 * @param {(seq: number) => void} parts.onPoke
 * @param {(what: {conversation_id: string, person_id: string}) => void} parts.onWriting
 * @param {(up: boolean) => void} parts.onUp
 */
export function createStream({ url, Source, onPoke, onWriting, onUp }) {
  /** @type {EventSource|null} */
  let source = null;

  function open() {
    if (source || !Source) return;
    const opened = new Source(url);
    source = opened;
    opened.addEventListener('open', () => onUp(true));
    opened.addEventListener('error', () => {
      onUp(false);
      // The browser gives up for good on an answer that is not a stream (signed out, a portal); try on a later occasion.
      if (opened.readyState === 2) close();
    });
    opened.addEventListener('poke', (event) => onPoke(Number(read(event)?.seq)));
    opened.addEventListener('writing', (event) => {
      const what = read(event);
      if (what?.conversation_id) onWriting(what);
    });
  }

  function close() {
    source?.close();
    source = null;
    onUp(false);
  }

  return { open, close };
}

/** @param {MessageEvent} event @returns {any} */
function read(event) {
  try {
    return JSON.parse(event.data);
  } catch {
    return null;
  }
}
