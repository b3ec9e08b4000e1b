/**
 * A virtual network between one phone and the server. Everything that may go wrong with a request happens here; what
 * happens is chosen by the seed.
 */

const HTML = Buffer.from('<!doctype html><title>Wi-Fi</title><p>Please accept our terms.');
const problem = Buffer.from(
  JSON.stringify({ type: 'about:blank', title: 'Internal Server Error', status: 500 }),
);

const FAULTS = [
  'cut',
  'lost',
  'twice',
  'error',
  'error after',
  'portal',
  'truncated',
  'flipped',
  'slow',
  'silent',
  'late',
];
/** So late may what a phone has given up on still reach the server. */
const LATE_MS = 3_000;

/**
 * @param {{clock: any, random: () => number, serve: (method: string, path: string, body: any) => any}} parts
 */
export function createNetwork({ clock, random, serve }) {
  /** Requests under way, so that the network's return can end them. @type {Set<() => void>} */
  const hanging = new Set();
  /** What the phone has given up on and the server has not had yet. @type {Set<() => void>} */
  const underWay = new Set();
  const network = {
    /** @type {'good'|'flaky'|'off'|'portal'} */
    mode: 'good',
    latency_ms: 30,
    requests: 0,
    /** Nothing else can go wrong any more, and what hangs is cut. */
    heal() {
      network.mode = 'good';
      for (const cut of [...hanging]) cut();
      for (const arrive of [...underWay]) arrive();
    },
    /** The server process ends: no answer under way arrives. */
    cutAll() {
      for (const cut of [...hanging]) cut();
    },

    fetch(path, init = {}) {
      return new Promise((resolve, reject) => {
        network.requests += 1;
        let done = false;
        const finish = (act) => {
          if (done) return;
          done = true;
          hanging.delete(cut);
          act();
        };
        const cut = () => finish(() => reject(new TypeError('Failed to fetch')));
        const answer = (reply) => finish(() => resolve(response(reply)));
        hanging.add(cut);
        init.signal?.addEventListener('abort', cut);
        const fault = chooseFault();
        const wait = (work, times = 1) =>
          void clock.timer(() => done || work(), network.latency_ms * times * (0.5 + random()));
        const method = init.method ?? 'GET';
        const reach = () => serve(method, path, init.body);
        const html = { status: 200, type: 'text/html', body: HTML };
        const error = { status: 500, type: 'application/problem+json', body: problem };
        switch (fault) {
          case 'off':
          case 'cut':
            return wait(cut);
          case 'portal':
            return wait(() => answer(html));
          case 'error':
            return wait(() => answer(error));
          case 'silent':
            return undefined;
          case 'late': {
            const arrive = () => underWay.delete(arrive) && reach();
            underWay.add(arrive);
            clock.timer(arrive, random() * LATE_MS);
            return wait(cut);
          }
          case 'lost':
            return wait(() => {
              reach();
              wait(cut);
            });
          case 'error after':
            return wait(() => {
              reach();
              wait(() => answer(error));
            });
          case 'twice':
            // A browser sends a POST again by itself when a kept-alive connection dies.
            return wait(() => {
              const first = reach();
              wait(() => {
                const second = reach();
                wait(() => answer(random() < 0.5 ? first : second));
              });
            });
          default: {
            const times = fault === 'slow' ? 20 : 1;
            return wait(() => {
              const reply = reach();
              wait(() => answer(damage(reply, fault)), times);
            }, times);
          }
        }
      });
    },
  };

  function chooseFault() {
    if (network.mode === 'off' || network.mode === 'portal') return network.mode;
    if (network.mode === 'good' || random() < 0.45) return 'none';
    return FAULTS[Math.floor(random() * FAULTS.length)];
  }

  function damage(reply, fault) {
    if (fault === 'truncated') {
      const { body } = reply;
      // Often at the end of a line, where nothing but the count and the sum can tell.
      const lines = body.toString().split('\n').slice(0, -1);
      const keep = Math.floor(random() * lines.length);
      const cut =
        random() < 0.5
          ? Math.floor(random() * body.length)
          : Buffer.byteLength(
              lines
                .slice(0, keep)
                .map((line) => `${line}\n`)
                .join(''),
            );
      return { ...reply, body: body.subarray(0, cut) };
    }
    if (fault === 'flipped') {
      const body = Buffer.from(reply.body);
      // One letter of someone's words (they begin with a tilde here): still perfectly good JSON.
      const places = [];
      for (let at = body.indexOf(0x7e); at >= 0; at = body.indexOf(0x7e, at + 1))
        places.push(at + 1);
      if (places.length) body[places[Math.floor(random() * places.length)]] ^= 1;
      return { ...reply, body };
    }
    return reply;
  }

  return network;
}

function response({ status, type, body }) {
  return {
    ok: status >= 200 && status < 300,
    status,
    type: 'basic',
    headers: { get: (name) => (name === 'content-type' ? type : null) },
    arrayBuffer: async () => body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength),
  };
}
