/**
 * Residents' meetings: the evenings of her area, and one evening on this tablet. All of it works without a network.
 * @module
 */
import { html } from 'lit-html';
import { fill } from '../i18n.js';
import { meetingsOf, promisesOf, questionsOf, waitingOf } from '../meetings/model.js';
import { createMeetingsApi } from '../meetings-api.js';
import { areaName, personName } from './names.js';
import { icon } from './icons.js';
import { createEvening } from './meetings/evening.js';
import { createList } from './meetings/list.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('../meetings/model.js').Meeting} Meeting */
/** @typedef {import('../meetings/model.js').Question} Question */
/** @typedef {import('../meetings/model.js').Promised} Promised */
/** @typedef {keyof typeof import('../i18n/nl-meetings.js').messages} Word */
/** @typedef {(key: Word, values?: Record<string, string | number | null | undefined>) => string} Say */

/**
 * @typedef {object} Desk what the screens of a meeting work with
 * @property {Context} context
 * @property {Say} say
 * @property {import('../meetings-api.js').MeetingsApi} api
 * @property {() => Meeting[]} meetings
 * @property {() => Meeting | undefined} meeting
 * @property {() => Question[]} questions
 * @property {() => Promised[]} promises
 * @property {() => number} waits how many of its operations have not reached the server
 * @property {(kind: import('../types.js').OpKind, about: string, payload: Record<string, any>, based_on?: number | null) => Promise<{op_id: string}>} keep
 */

const words = {
  nl: () => import('../i18n/nl-meetings.js'),
  en: () => import('../i18n/en-meetings.js'),
};

/** The style of these screens, named by the page; with what they say it is fetched once. */
function dress() {
  const named = document.querySelector('meta[name=meetings-style]');
  if (!named || document.querySelector('link#meetings-style')) return undefined;
  const link = document.createElement('link');
  link.id = 'meetings-style';
  link.rel = 'stylesheet';
  return new Promise((resolve) => {
    link.onload = link.onerror = resolve;
    link.href = named.getAttribute('content') ?? '';
    document.head.append(link);
  });
}

/** @param {Context} context @param {import('../meetings-api.js').MeetingsApi} [api] */
export function createMeetings(context, api = createMeetingsApi()) {
  const { store, draw } = context;
  /** The meeting of this address; none is the list of them. */
  const { id } = context.route();
  /** @type {Record<string, string>} */
  let messages = {};
  /** @type {Say} */
  const say = (key, values) => fill(messages[key] ?? key, values);
  /** @type {import('../types.js').Entry[]} */
  let entries = [];
  // Worked out once a change, not once a frame.
  /** @type {{meetings: Meeting[], questions: Question[], promises: Promised[], waits: number}} */
  let known = { meetings: [], questions: [], promises: [], waits: 0 };

  const look = async () => {
    entries = await store.outbox();
    const areas = new Set(store.scope()?.areas ?? []);
    const meetings = meetingsOf(store.refs('meeting'), entries, areas, (code) =>
      areaName(context, code),
    );
    const me = store.me().id;
    const questions = id ? questionsOf(store.refs('meetingq'), entries, id, me) : [];
    const promises = id
      ? promisesOf(store.refs('meetingp'), entries, id, (one) => personName(context, one))
      : [];
    known = { meetings, questions, promises, waits: id ? waitingOf(entries, id, questions) : 0 };
  };

  /** @type {Desk} */
  const desk = {
    context,
    say,
    api,
    meetings: () => known.meetings,
    meeting: () => known.meetings.find((one) => one.id === id),
    questions: () => known.questions,
    promises: () => known.promises,
    waits: () => known.waits,
    async keep(kind, about, payload, based_on = null) {
      const kept = await store.enqueue({ kind, conversation_id: about, based_on, payload });
      await look();
      draw();
      return kept;
    },
  };

  let over = false;
  /** @type {ReturnType<typeof createEvening> | null} */
  let evening = null;
  /** @type {ReturnType<typeof createList> | null} */
  let list = null;
  const unsubscribe = store.subscribe(({ kinds }) => {
    if (kinds.has('refs') || kinds.has('outbox')) void look().then(draw);
  });
  const first = (async () => {
    const [said] = await Promise.all([
      (context.language === 'en' ? words.en : words.nl)(),
      dress(),
      look(),
    ]);
    messages = said.messages;
    if (id) evening = createEvening(desk, id);
    else list = createList(desk);
    await evening?.first;
    if (over) evening?.leave();
  })();

  return {
    first,
    title: () => desk.meeting()?.title ?? say('title'),
    leave() {
      over = true;
      unsubscribe();
      evening?.leave();
    },
    render() {
      if (list) return list.render();
      if (!evening) return html`<section class="page" aria-busy="true"></section>`;
      if (desk.meeting()) return evening.render();
      return html`<section class="page"><div class="empty">${icon('contact')}<h1 tabindex="-1">${say('unknown')}</h1><p>${say('unknown_help')}</p>
        <a class="button" href="/meetings">${say('title')}</a></div></section>`;
    },
  };
}
