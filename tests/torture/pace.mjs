/**
 * How fast this machine is just now. Some seventy phones, servers and lines share its cores here, so a promise in seconds
 * can only be held against the time that they really had.
 */

const TICK_MS = 10;
/** No machine is so slow that a server which takes longer may count as one that answers. */
const HANGS_MS = 5_000;

export function createPace() {
  /** Requests under way, by when they left. @type {Set<{at_ms: number}>} */
  const underWay = new Set();
  /** What each tick came too late, and when it came. @type {{at_ms: number, late_ms: number}[]} */
  const ticks = [];
  let slowest_ms = 0;
  let due_ms = Date.now() + TICK_MS;
  const ticking = setInterval(() => {
    const at_ms = Date.now();
    if (at_ms > due_ms) ticks.push({ at_ms, late_ms: at_ms - due_ms });
    due_ms = at_ms + TICK_MS;
  }, TICK_MS);

  return {
    stop: () => clearInterval(ticking),

    /** A request leaves. @returns {() => void} to be called when its answer is there */
    leaves() {
      const request = { at_ms: Date.now() };
      underWay.add(request);
      return () => {
        if (underWay.delete(request)) slowest_ms = Math.max(slowest_ms, Date.now() - request.at_ms);
      };
    },

    /**
     * @param {number} from_ms
     * @returns {{slowest_ms: number, late_ms: number}} the longest round trip, one that still lasts included; and for how
     *   long since then this process was not given its turn
     */
    since(from_ms) {
      const now_ms = Date.now();
      const lasting = [...underWay].map(({ at_ms }) => Math.min(now_ms - at_ms, HANGS_MS));
      const late_ms = ticks.reduce((sum, tick) => (tick.at_ms > from_ms ? sum + tick.late_ms : sum), 0);
      return { slowest_ms: Math.max(slowest_ms, ...lasting), late_ms };
    },
  };
}
