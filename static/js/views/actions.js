/**
 * What a coordinator does to a conversation without typing. Each is queued for a moment first, so that a slip of the thumb can be undone.
 * @module
 */
import { may } from './names.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Head} Head */

const REGRET_MS = 5000;

/** @param {Context} context */
export function createActions(context) {
  const { store, t, now, toast } = context;

  /**
   * @param {Head} head
   * @param {import('./types.js').OpKind} kind
   * @param {Record<string, unknown>} payload
   * @param {string} [said] sentence in the undo bar
   */
  const act = async (head, kind, payload, said) => {
    try {
      const until_ms = now() + REGRET_MS;
      const op = await store.enqueue({
        kind,
        conversation_id: head.id,
        based_on: head.position,
        payload,
        ...(said ? { not_before_ms: until_ms } : {}),
      });
      if (said) toast(said, { label: t('undo'), run: () => store.discard(op.op_id), until_ms });
    } catch {
      toast(t('failed'));
    }
  };

  /** Somebody was woken for it, and nobody has said that she takes it up. @param {Head} head */
  const isAwaited = (head) => head.alert?.state === 'open' && may(context, 'acknowledge');

  return {
    /** What `take` does now. @param {Head} head @returns {'take' | 'release'} */
    taking: (head) => (head.assignee === store.me().id && !isAwaited(head) ? 'release' : 'take'),
    /** To take up what somebody was woken for is to acknowledge it; that waits for no regret. @param {Head} head */
    take: (head) =>
      isAwaited(head)
        ? act(head, 'acknowledge', {})
        : head.assignee === store.me().id
          ? act(head, 'assign', { person: null }, t('release'))
          : act(head, 'assign', { person: store.me().id }, t('taken')),
    /** @param {Head} head */
    read: (head) => act(head, 'read', { position: head.in_position }),
    /** @param {Head} head */
    finish: (head) =>
      head.status === 'closed'
        ? act(head, 'status', { status: 'open' }, t('status_reopened'))
        : act(head, 'status', { status: 'closed' }, t('finished')),
    act,
  };
}
