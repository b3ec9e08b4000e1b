/** A seeded source of chance and a virtual clock: a history depends on its seed only. */

/** Mulberry32. @param {number} seed @returns {() => number} */
export function seeded(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const START_MS = Date.UTC(2026, 0, 5, 8);

export function createClock() {
  let now = START_MS;
  let order = 0;
  /** A binary heap by time, then by order of asking. */
  const heap = [];
  const before = (a, b) => a.at < b.at || (a.at === b.at && a.order < b.order);

  function push(item) {
    let i = heap.push(item) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!before(heap[i], heap[up])) break;
      [heap[i], heap[up]] = [heap[up], heap[i]];
      i = up;
    }
  }

  function pop() {
    const top = heap[0];
    const tail = heap.pop();
    if (heap.length) {
      heap[0] = tail;
      let i = 0;
      for (;;) {
        let least = i;
        for (const child of [2 * i + 1, 2 * i + 2]) {
          if (child < heap.length && before(heap[child], heap[least])) least = child;
        }
        if (least === i) break;
        [heap[i], heap[least]] = [heap[least], heap[i]];
        i = least;
      }
    }
    return top;
  }

  /** Everything that promises set off has run when the macrotask after them runs. */
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  const clock = {
    now: () => now,
    timer(work, delay_ms) {
      const item = { at: now + Math.max(0, delay_ms), order: (order += 1), work };
      push(item);
      return () => {
        item.work = null;
      };
    },
    pause: (delay_ms) => new Promise((resolve) => clock.timer(resolve, delay_ms)),
    settle,
    /** Let virtual time pass until `done()` or `until_ms`. Returns whether it was done. */
    async run(until_ms, done = () => false) {
      await settle();
      while (!done()) {
        while (heap.length && !heap[0].work) pop();
        if (!heap.length || heap[0].at > until_ms) {
          now = Math.max(now, until_ms);
          return done();
        }
        const { at, work } = pop();
        now = Math.max(now, at);
        work();
        await settle();
      }
      return true;
    },
    jump(delay_ms) {
      now += delay_ms;
    },
  };
  return clock;
}
