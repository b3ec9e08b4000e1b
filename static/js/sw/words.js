/** What notifications say. The worker cannot load the app's words later, so it carries its own few. */

const nl = {
  language: 'nl',
  urgent: 'Spoed',
  news: 'Nieuw bericht',
  warning: 'Stoep: kijk even',
  test: 'Proefmelding',
  closed: 'Spoed is opgepakt',
  unreadable: 'Nieuws in Stoep',
  look: 'Open Stoep om te zien wat het is.',
  taken: 'Spoed is al opgepakt',
  acknowledge: 'Ik pak het op',
  snooze: 'Later (15 min)',
  queued_acknowledge: 'Ik pak het op: nog niet verstuurd',
  queued_snooze: 'Later: nog niet verstuurd',
  queued: 'Wordt verstuurd zodra er netwerk is.',
  signed_out: 'Je bent afgemeld. Meld je aan in Stoep, dan wordt het verstuurd.',
  first: 'Een collega was eerder',
  first_help: 'Het gesprek was al opgepakt.',
  failed: 'Het is niet gelukt',
  failed_help: 'Tik om het gesprek te openen en daar te kiezen.',
};

/** @typedef {keyof typeof nl} Word */

/** @type {Record<Word, string>} */
const en = {
  language: 'en',
  urgent: 'Urgent',
  news: 'New message',
  warning: 'Stoep: have a look',
  test: 'Test notification',
  closed: 'Urgent question taken up',
  unreadable: 'News in Stoep',
  look: 'Open Stoep to see what it is.',
  taken: 'Urgent question already taken up',
  acknowledge: 'I’ll take it',
  snooze: 'Later (15 min)',
  queued_acknowledge: 'I’ll take it: not sent yet',
  queued_snooze: 'Later: not sent yet',
  queued: 'It is sent as soon as there is a network.',
  signed_out: 'You are signed out. Sign in to Stoep and it is sent.',
  first: 'A colleague was first',
  first_help: 'The conversation was taken up already.',
  failed: 'That did not work',
  failed_help: 'Tap to open the conversation and choose there.',
};

/** @param {string | undefined} language @returns {(word: Word) => string} */
export const wordsIn = (language) => (word) => (language === 'en' ? en : nl)[word];
