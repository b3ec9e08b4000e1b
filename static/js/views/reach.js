/**
 * Whoever is on call now must be reachable: the bar says so when her phone cannot be woken, to her and to who leads her
 * team. Who is on call is read from the replica; whether a phone can be woken only the server knows.
 * @module
 */
import { createOncallApi } from '../oncall-api.js';
import { onCall } from '../rota.js';
import { channelSentences } from './channels/health.js';
import { personName } from './names.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./bar.js').Sentence} Sentence */
/** @typedef {import('../oncall-api.js').Health} Health */
/** @typedef {import('../oncall-api.js').Reach} Reach */

const AGAIN_MS = 5 * 60_000;
/** While the bar says that something is wrong: she may be mending it. */
const WORRIED_MS = 20_000;
/** How long a shown notification proves that a phone can be woken. */
const PROOF_MS = 26 * 3_600_000;

/**
 * What is known of somebody's own phones.
 * @param {Health['devices']} devices
 * @param {number} now_ms
 * @returns {Reach}
 */
export function reachOf(devices, now_ms) {
  const live = devices.filter(({ state }) => state === 'new' || state === 'proven');
  if (!live.length) return 'none';
  return live.some(({ proven_ms }) => proven_ms !== null && proven_ms > now_ms - PROOF_MS)
    ? 'proven'
    : 'unproven';
}

/**
 * @param {Context} context
 * @param {{health: () => Promise<Health>}} [api]
 */
export function createReach(context, api = createOncallApi()) {
  const { store, t, draw, now } = context;
  /** @type {Health | null} */
  let health = null;
  let asked_ms = 0;
  let worried = false;

  const holding = () => onCall(store.refs('shift'), store.refs('absence'), now());

  const ask = () => {
    const people = holding();
    const enough_ms = worried ? WORRIED_MS : AGAIN_MS;
    if (!people.size || store.status().connection !== 'online' || now() - asked_ms < enough_ms)
      return;
    asked_ms = now();
    api.health().then(
      (told) => {
        health = told;
        draw();
      },
      // Not known: then nothing is said about it. The bar tells when there is no network.
      () => undefined,
    );
  };

  store.subscribe(({ kinds }) => {
    if (kinds.has('refs')) asked_ms = 0;
    ask();
  });
  document.addEventListener('visibilitychange', ask);
  ask();

  return {
    /** After a phone was tested or repaired: do not wait for the next time. */
    again() {
      asked_ms = 0;
      ask();
    },
    /** With those of the channels, which are as rare and as little needed at the first moment. @returns {Sentence[]} */
    sentences: () => [...own(), ...channelSentences(context, store.refs('account'))],
  };

  /** @returns {Sentence[]} */
  function own() {
      ask();
      const people = holding();
      const me = store.me().id;
      /** @type {Sentence[]} */
      const all = [];
      if (store.status().connection === 'offline') {
        // Whatever the server knew of her phone: now nothing reaches it.
        if (people.has(me))
          all.push({
            kind: 'look',
            icon: 'bell',
            text: t('bar_oncall_offline'),
            help: t('bar_oncall_offline_help'),
          });
        return all;
      }
      if (!health) return all;
      const mine = reachOf(health.devices, now());
      if (people.has(me) && mine !== 'proven')
        all.push({
          kind: mine === 'none' ? 'problem' : 'look',
          icon: 'bell',
          text: t(mine === 'none' ? 'bar_oncall_none' : 'bar_oncall_unproven'),
          help: t('bar_oncall_help'),
          action: 'phone',
        });
      for (const { person_id, reach } of health.team ?? []) {
        if (person_id === me || reach === 'proven' || !people.has(person_id)) continue;
        all.push({
          kind: 'look',
          icon: 'bell',
          text: t(reach === 'none' ? 'bar_team_none' : 'bar_team_unproven', {
            name: personName(context, person_id),
          }),
          help: t('bar_team_help'),
          action: 'oncall',
        });
      }
      worried = all.length > 0;
      return all;
  }
}
