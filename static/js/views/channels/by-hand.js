/**
 * The way out where X takes no reply from a program: its own page, with the text ready. Pure.
 * Source: X, "Web intents" (read 2026-11).
 * @module
 */

const POST = /^https:\/\/x\.com\/\w{1,50}\/status\/(\d{1,20})$/;
const BY_HAND = new Set(['not_invited', 'cost_cap', 'credits_spent', 'link_costs']);

/**
 * Can she have posted it herself, where Stoep could not? Pure.
 * @param {{delivery: {state: string, error: string | null} | null}} reply
 */
export const mayBePostedByHand = ({ delivery }) =>
  delivery?.state === 'failed' && BY_HAND.has(delivery.error ?? '');

/**
 * @param {{text: string, position: number | null, delivery: {error: string | null} | null}} reply
 * @param {{d: string, link?: string, position: number | null}[]} messages  of its conversation, oldest first
 * @returns {string | null} null where posting by hand is no way out
 */
export function openInX({ text, delivery, position }, messages) {
  if (!BY_HAND.has(delivery?.error ?? '')) return null;
  const before = messages.filter(
    (one) => one.d === 'in' && (one.position ?? Infinity) < (position ?? Infinity),
  );
  // What was asked in private has no page, and is not answered on one.
  const post = POST.exec(before.at(-1)?.link ?? '')?.[1];
  return post
    ? `https://x.com/intent/post?text=${encodeURIComponent(text)}&in_reply_to=${post}`
    : null;
}
