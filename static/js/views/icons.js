/** Line icons, 24 × 24, drawn for Stoep. Decoration only: a word stands beside each, or the control has a label. */
import { html } from 'lit-html';

const paths = {
  inbox: 'M4 5h16v11H9l-5 4z',
  plus: 'M12 5v14M5 12h14',
  queue: 'M12 4v10M8 8l4-4 4 4M4 14v5h16v-5',
  phone: 'M7 3h10v18H7zM11 18h2',
  back: 'M15 5l-7 7 7 7',
  next: 'M9 5l7 7-7 7',
  search: 'M11 4a7 7 0 1 0 0 14a7 7 0 1 0 0-14M16 16l5 5',
  close: 'M6 6l12 12M18 6L6 18',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  urgent: 'M12 3l10 18H2zM12 10v5M12 18h.01',
  web: 'M3 12a9 9 0 1 0 18 0a9 9 0 1 0-18 0M3 12h18M12 3c-5 5-5 13 0 18c5-5 5-13 0-18',
  email: 'M3 6h18v12H3zM3 7l9 7 9-7',
  contact: 'M4 4h16v12h-6l-4 4v-4H4zM8 9h8M8 12h5',
  take: 'M12 4a4 4 0 1 0 0 8a4 4 0 1 0 0-8M4 21c0-9 16-9 16 0',
  read: 'M3 12s4-6 9-6 9 6 9 6-4 6-9 6-9-6-9-6M12 10a2 2 0 1 0 0 4a2 2 0 1 0 0-4',
  done: 'M4 13l5 5L20 6',
  note: 'M5 3h14v12l-6 6H5zM19 15h-6v6',
  camera: 'M3 8h4l2-3h6l2 3h4v11H3zM12 10a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7',
  image: 'M3 5h18v14H3zM3 16l5-5 5 5 3-3 5 5M16 9h.01',
  template: 'M5 4h14M5 9h14M5 14h9M5 19h6',
  send: 'M4 12L21 4l-5 17-4-7zM12 14l9-10',
  details: 'M4 7h10M18 7h2M16 5v4M4 17h4M12 17h8M10 15v4',
  offline:
    'M4 4l16 16M2 9c3-2 5-3 7-3.500M13 5.200c3 0 6 1.500 9 3.800M6 13c2-1 3-2 5-2M15.500 12l2.500 1.500M12 18h.01',
  look: 'M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18M12 7v6M12 16.500h.01',
  clock: 'M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18M12 7v5l3 3',
  area: 'M12 21c-5-6-7-8-7-11a7 7 0 0 1 14 0c0 3-2 5-7 11M12 8a2 2 0 1 0 0 4a2 2 0 1 0 0-4',
  bell: 'M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4',
  ear: 'M6 9a6 6 0 0 1 12 0c0 5-5 5-5 9a3.500 3.500 0 0 1-7 0M9 10a3 3 0 0 1 6 0c0 2-3 2-3 4.500',
  refresh: 'M20 11a8 8 0 1 0-2 6M20 4v7h-7',
};

/** @typedef {keyof typeof paths} IconName */

/** @param {IconName} name */
export const icon = (name) =>
  html`<svg class="i" viewBox="0 0 24 24" aria-hidden="true"><path d=${paths[name]}></path></svg>`;

/** The mark of a channel; one that this app doesn't know gets the speech balloon. @param {string} channel */
export const channelIcon = (channel) =>
  icon(
    channel === 'web' || channel === 'email'
      ? channel
      : channel === 'contact'
        ? 'contact'
        : 'inbox',
  );
