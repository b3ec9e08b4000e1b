/**
 * How channels are doing, in sentences for the bar. Pure.
 * @module
 */

/** @typedef {import('../types.js').Context} Context */
/** @typedef {import('../types.js').Account} Account */
/** @typedef {import('../bar.js').Sentence} Sentence */

/** How long the bar tells of a time in which something may have been missed; the screen of channels keeps it. */
const GAP_TOLD_MS = 3 * 86_400_000;

/**
 * @param {Pick<Context, 't' | 'clocks' | 'now'>} context
 * @param {Pick<Account, 'name' | 'health' | 'enabled'>[]} accounts
 * @returns {Sentence[]}
 */
export function channelSentences({ t, clocks, now }, accounts) {
  /** @type {Sentence[]} */
  const all = [];
  for (const { name, health, enabled } of accounts) {
    if (!health || enabled === false) continue;
    const { state, since_ms, until_ms, gaps = [] } = health;
    const key = trouble(state, until_ms, now());
    if (key)
      all.push({
        kind: 'look',
        icon: 'look',
        text: t(key, {
          name,
          time: since_ms ? clocks.moment(since_ms) : '?',
          until: until_ms ? clocks.moment(until_ms) : '?',
        }),
        help: t(state === 'cannot_read' ? 'bar_channel_cannot_read_help' : 'bar_channel_help'),
        action: 'channels',
      });
    const [from, to] = gaps.at(-1) ?? [0, 0];
    if (to > now() - GAP_TOLD_MS)
      all.push({
        kind: 'look',
        icon: 'look',
        text: t('bar_channel_gap', { name, from: clocks.moment(from), to: clocks.moment(to) }),
        help: t('bar_channel_gap_help'),
        action: 'channels',
      });
  }
  return all;
}

/**
 * @param {string} state
 * @param {number | null | undefined} until_ms
 * @param {number} now_ms
 */
function trouble(state, until_ms, now_ms) {
  if (state === 'working') return null;
  if (state === 'signed_out') return 'bar_channel_signed_out';
  if (state === 'cannot_send') return 'bar_channel_cannot_send';
  if (state === 'cannot_read') return 'bar_channel_cannot_read';
  if (state === 'down') return 'bar_channel_down';
  return state === 'limited' && until_ms && until_ms > now_ms
    ? 'bar_channel_limited'
    : 'bar_channel_slow';
}
