/**
 * One person, several channels: the question whether two residents are one, and all that is known of her when somebody
 * said so. Read from the phone, so it stands there without a network. An answer goes on to where it was asked.
 * @module
 */
import { html, nothing } from 'lit-html';
import { word } from '../i18n.js';
import {
  apartFrom,
  familyOf,
  otherOf,
  pairsOf,
  saying,
  suggestionsOf,
  written,
} from '../residents.js';
import { createActions } from './actions.js';
import { showDialog } from './dialogs.js';
import { channelIcon, icon } from './icons.js';
import { areaName, channelName, kindName, may, residentName } from './names.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Head} Head */
/** @typedef {import('../types.js').Pair} Pair */

/** Channels of which an address is something that a person can use. */
const READABLE = new Set(['email', 'web', 'contact', 'whatsapp', 'mastodon', 'matrix']);

/** @param {Context} context */
export function createSame(context) {
  const { store, t, clocks, draw } = context;
  const { act } = createActions(context);
  /** @type {import('./types.js').OutboxEntry[]} */
  let entries = [];
  /** @type {ReturnType<typeof showDialog> | null} */
  let sheet = null;
  let over = false;

  const load = async () => {
    const all = await store.outbox();
    if (over) return;
    entries = all.filter(({ kind }) => kind === 'same');
    draw();
    sheet?.update();
  };
  const unsubscribe = store.subscribe(() => void load());
  const first = load();

  /** @returns {Pair[]} */
  const pairs = () => pairsOf(store.refs('same'), entries, new Set(store.scope()?.areas ?? []));

  /** Every conversation on this phone. @returns {Head[]} */
  const heads = () => [...store.list({ filter: 'all' }), ...store.list({ filter: 'closed' })];

  /** @param {Head} head @param {Pair} pair @param {Pair['verdict']} verdict @param {string} [said] */
  const say = (head, pair, verdict, said) => {
    const { id } = head.resident;
    // A pair of two others of this person is said of one of theirs.
    const about = pair.a === id || pair.b === id ? head : { ...head, id: pair.a_c, position: 0 };
    return act(about, 'same', saying(pair, verdict, pairs()), said);
  };

  /** @param {Pair} pair */
  const why = ({ why, value }) =>
    why ? word(t, 'same_why', why, { value: written(why, value) }) : t('same_why_none');

  /** The newest conversation of a resident, if this phone has one. @param {string} resident @param {Head[]} all */
  const newest = (resident, all) => all.find((head) => head.resident.id === resident);

  /** @param {string} resident @param {Pair} pair */
  const fallback = (resident, pair) => (pair.a === resident ? pair.a_c : pair.b_c);

  /** Two names are no proof of two people, but worth a look. @param {Head} head @param {Head | undefined} other */
  const differ = (head, other) => {
    const [one, two] = [head, other].map((each) => each?.resident.name.trim().toLowerCase());
    return Boolean(one && two && one !== two);
  };

  /** @param {Head} head @param {Pair} pair @param {Head[]} all */
  const question = (head, pair, all) => {
    const resident = otherOf(pair, head.resident.id);
    const other = newest(resident, all);
    const name = other ? residentName(context, other) : t('same_earlier');
    const channel = other ? channelName(context, other) : '';
    return html`<div class="same-ask">
      <p>
        ${icon('take')}<span
          >${t('same_maybe')}
          <a href="/c/${other?.id ?? fallback(resident, pair)}"
            >${name}${channel ? ` (${channel})` : ''}</a
          >?
          ${why(pair)}.${differ(head, other) && pair.why !== 'name' ? ` ${t('same_names_differ')}` : ''}</span
        >
      </p>
      <div class="buttons">
        <button
          class="button"
          type="button"
          @click=${() => say(head, pair, 'same', t('same_joined'))}
        >
          ${t('same_yes')}
        </button>
        <button
          class="button quiet"
          type="button"
          @click=${() => say(head, pair, 'different', t('same_apart'))}
        >
          ${t('same_no')}
        </button>
      </div>
    </div>`;
  };

  /**
   * The other conversations of this person, newest first.
   * @param {Head} head @param {Map<string, Pair | null>} family @param {Head[]} all
   */
  const others = (head, family, all) =>
    all
      .filter((one) => one.id !== head.id && !one.erased && family.has(one.resident.id))
      .sort((a, b) => b.activity_ms - a.activity_ms);

  /** @param {Head} head @param {Map<string, Pair | null>} family @param {Pair[]} known @param {Head[]} all */
  const ways = (head, family, known, all) => {
    /** @type {Map<string, {label: string, address: string, phone: boolean}>} */
    const found = new Map();
    const put = (/** @type {string} */ label, /** @type {string} */ address, phone = false) =>
      found.set(`${phone} ${address.toLowerCase()}`, { label, address, phone });
    for (const pair of known) {
      if (pair.verdict !== 'same' || !family.has(pair.a)) continue;
      if (pair.why === 'phone') put(t('same_phone'), written('phone', pair.value), true);
      if (pair.why === 'email') put(kindName(context, 'email'), pair.value);
    }
    for (const { resident, ...one } of others(head, family, all)) {
      const { address } = resident;
      const channel = /** @type {string} */ (one.channel);
      if (!address || !READABLE.has(channel)) continue;
      if (channel === 'whatsapp') put(kindName(context, channel), `+${address}`, true);
      else if (address.includes('@'))
        put(kindName(context, ['web', 'contact'].includes(channel) ? 'email' : channel), address);
    }
    const here = head.resident.address?.toLowerCase();
    return [...found.values()].filter(
      ({ address }) => address.replace(/^\+/, '').toLowerCase() !== here,
    );
  };

  /** @param {Head} one */
  const line = (one) =>
    html`<a class="same-talk" href="/c/${one.id}" @click=${() => sheet?.close()}>
      ${channelIcon(one.channel)}
      <span
        ><strong>${channelName(context, one)}</strong> · ${areaName(context, one.area)} ·
        ${word(t, 'status', one.status)}<br />
        <span class="same-said"
          >${one.subject || one.preview || residentName(context, one)}</span
        ></span
      >
      <time>${clocks.short(one.activity_ms)}</time>
    </a>`;

  /** @param {Head} head */
  const body = (head) => {
    const known = pairs();
    const all = heads();
    const family = familyOf(head.resident.id, known);
    const talks = others(head, family, all);
    const reach = ways(head, family, known, all);
    const apart = apartFrom(head.resident.id, known);
    const decides = may(context, 'assign');
    return html`
      ${[...family].map(([resident, pair]) => {
        const hers = talks.filter((one) => one.resident.id === resident);
        if (!pair)
          return hers.length
            ? html`<section>
                <h3>${t('same_address')}</h3>
                ${hers.map(line)}
              </section>`
            : nothing;
        const name = hers[0] ? residentName(context, hers[0]) : t('same_earlier');
        return html`<section>
          <h3>${name}</h3>
          <p class="hint">${why(pair)}${pair.pending ? ` · ${t('same_waits')}` : ''}</p>
          ${hers.length ? hers.map(line) : html`<a class="same-talk" href="/c/${fallback(resident, pair)}" @click=${() => sheet?.close()}>${icon('clock')}<span>${t('same_open_earlier')}</span></a>`}
          ${decides ? html`<button class="button" type="button" aria-label=${`${t('same_undo')}: ${name}`} @click=${() => say(head, pair, 'open', t('same_undone'))}>${t('same_undo')}</button>` : nothing}
        </section>`;
      })}
      ${
        reach.length
          ? html`<section>
              <h3>${t('same_ways')}</h3>
              <ul class="same-ways">
                ${reach.map(({ label, address, phone }) => html`<li>${label}: ${phone ? html`<a href="tel:${address}">${address}</a>` : html`<span class="address">${address}</span>`}</li>`)}
              </ul>
              <p class="hint">${t('same_answer_stays')}</p>
            </section>`
          : nothing
      }
      ${
        apart.length
          ? html`<section>
              <h3>${t('same_not')}</h3>
              ${apart.map((pair) => {
                const other = newest(otherOf(pair, head.resident.id), all);
                const name = other ? residentName(context, other) : t('same_earlier');
                return html`<p>
                  ${name} · ${why(pair)}
                  ${decides ? html`<button class="button" type="button" aria-label=${`${t('same_ask_again')}: ${name}`} @click=${() => say(head, pair, 'open')}>${t('same_ask_again')}</button>` : nothing}
                </p>`;
              })}
            </section>`
          : nothing
      }
    `;
  };

  /** @param {() => Head | undefined} current */
  const open = (current) => {
    const show = () => {
      const head = current();
      return head ? body(head) : html``;
    };
    sheet = showDialog(show, {
      label: t('same_title'),
      sheet: true,
      closeLabel: t('close'),
    });
    sheet.closed.then(() => (sheet = null));
  };

  return {
    first,
    leave() {
      over = true;
      unsubscribe();
      sheet?.close();
    },
    /** @param {Head} head @param {() => Head | undefined} current */
    render(head, current) {
      if (!head.resident.id || head.erased) return nothing;
      const known = pairs();
      const all = heads();
      const family = familyOf(head.resident.id, known);
      const talks = others(head, family, all);
      const [asked] = may(context, 'assign') ? suggestionsOf(head.resident.id, known) : [];
      const more = family.size > 1 || talks.length || apartFrom(head.resident.id, known).length;
      if (!asked && !more) return nothing;
      return html`<aside class="same" aria-label=${t('same_title')}>
        ${asked ? question(head, asked, all) : nothing}
        ${
          more
            ? html`<div class="chips">
                <button
                  class="chip"
                  type="button"
                  aria-haspopup="dialog"
                  @click=${() => open(current)}
                >
                  ${icon('take')}${t('same_title')}
                </button>
                ${talks.slice(0, 6).map((one) => html`<a class="chip" href="/c/${one.id}" aria-label=${t('same_also', { channel: channelName(context, one), time: clocks.short(one.activity_ms) })}>${channelIcon(one.channel)}${channelName(context, one)} <span class="number">${clocks.short(one.activity_ms)}</span></a>`)}
              </div>`
            : nothing
        }
      </aside>`;
    },
  };
}
