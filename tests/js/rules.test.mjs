// The rules of urgency as sentences, and why a conversation is urgent: the reason, and who said otherwise.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { speak } from '../../static/js/i18n.js';
import { overlayHead } from '../../static/js/overlay.js';
import {
  fewWords,
  hoursLines,
  phrasesIn,
  plain,
  ruleName,
  ruleSentence,
} from '../../static/js/views/rules/sentences.js';
import { fullReason, reason, sayVerdict, span } from '../../static/js/views/verdict.js';

const speaking = {};
for (const language of ['nl', 'en']) {
  const { t, more } = await speak(language);
  await more();
  speaking[language] = {
    t,
    language,
    store: {
      me: () => ({ id: 'anna', rights: ['note'] }),
      ref: (kind, id) => (kind === 'person' && id === 'bram' ? { name: 'Bram' } : null),
    },
  };
}
/** @type {any} */
const { nl, en } = speaking;
/** @type {any} */
const words = {
  id: 'danger',
  kind: 'words',
  on: true,
  name: '',
  words: ['gaslek'],
  channels: [],
  senders: [],
  when: 'always',
  times: 0,
  minutes: 0,
  open_hours: false,
};

test('a rule is one plain sentence, narrowed only when it is', () => {
  assert.equal(ruleSentence(nl, words), 'als iemand een van deze woorden schrijft:');
  const narrow = {
    ...words,
    senders: ['resident', 'professional'],
    channels: ['email'],
    when: 'closed',
  };
  assert.equal(
    ruleSentence(nl, narrow),
    'als een inwoner of een professional via e-mail buiten openingstijd een van deze woorden schrijft:',
  );
  assert.equal(
    ruleSentence(en, { ...narrow, kind: 'every' }),
    'when a resident or a professional writes anything at all by e-mail outside opening hours.',
  );
  assert.equal(
    ruleSentence(nl, { ...words, kind: 'repeated', times: 4, minutes: 60 }),
    'als iemand 4 keer schrijft binnen 1 uur en wij niet antwoorden.',
  );
  assert.equal(
    ruleSentence(nl, { ...words, kind: 'no_reaction', minutes: 960, open_hours: true }),
    'als wij 16 uur lang niet reageren, in openingstijd gerekend.',
  );
});

test('a rule has its own name, or that of the one it came as', () => {
  assert.equal(ruleName(nl, words), 'Gevaar');
  assert.equal(ruleName(nl, { ...words, name: 'Ratten' }), 'Ratten');
  assert.equal(ruleName(nl, { ...words, id: 'own_1' }), 'Eigen regel');
});

test('a span is told in the unit a person would use', () => {
  assert.equal(span(nl, 1), '1 minuut');
  assert.equal(span(nl, 90), '90 minuten');
  assert.equal(span(nl, 960), '16 uur');
  assert.equal(span(nl, 1440), '24 uur');
  assert.equal(span(nl, 2880), '2 dagen');
});

test('a long list of words is cut, and says how much is left', () => {
  assert.equal(fewWords(nl, ['a', 'b']), '“a”, “b”');
  assert.equal(fewWords(nl, [...'abcdefgh']), '“a”, “b”, “c”, “d”, “e”, “f” en nog 2');
});

test('days with the same hours are told together', () => {
  const week = [...Array(5).fill([540, 1020]), null, [0, 1440]];
  assert.deepEqual(hoursLines(nl, { week, closed: [] }), [
    'maandag tot en met vrijdag: 09:00–17:00',
    'zaterdag: dicht',
    'zondag: 00:00–24:00',
  ]);
});

test('what is typed or pasted becomes phrases, each once, as the server would see them', () => {
  assert.deepEqual(phrasesIn('Gaslek, gas  lek\n\n;GÁSLEK; !!!', []), ['Gaslek', 'gas lek']);
  assert.deepEqual(phrasesIn('gaslek, ratten', ['GASLEK']), ['ratten']);
  assert.equal(plain('Can’t — BREATHE'), 'cant breathe');
});

const head = (/** @type {any} */ fields) =>
  /** @type {any} */ ({
    id: 'c',
    urgent: false,
    urgent_reason: null,
    verdict: null,
    resident: {},
    ...fields,
  });
const saw = { rule: 'danger', why: { code: 'word', word: 'gaslek' }, by: null, at_ms: 1 };

test('an urgent conversation says what the rules saw', () => {
  assert.deepEqual(sayVerdict(nl, head({ urgent: true, verdict: { ...saw, urgent: true } })), {
    urgent: true,
    text: 'er staat “gaslek” in het bericht.',
  });
  assert.equal(
    fullReason(en, { code: 'ticked', when: 'closed' }),
    'the resident ticked that it is urgent. That counts outside opening hours.',
  );
});

test('a conversation that is not urgent says so only when a word was denied or a person decided', () => {
  assert.equal(sayVerdict(nl, head({})), null);
  const denied = { code: 'denied', word: 'dringend', by: 'niet' };
  assert.equal(
    sayVerdict(nl, head({ verdict: { ...saw, urgent: false, why: denied } }))?.text,
    'Geen spoed: “dringend” telt niet, door “niet”.',
  );
  const nothing = { rule: null, why: { code: 'nothing' }, urgent: false, at_ms: 1 };
  assert.equal(sayVerdict(nl, head({ verdict: { ...nothing, by: null } })), null);
});

test('who said otherwise is named, and what she overruled stays to be read', () => {
  const off = head({ verdict: { ...saw, urgent: true, by: 'bram' } });
  assert.deepEqual(sayVerdict(nl, off), {
    urgent: false,
    text: 'Bram haalde de spoed weg. De regel zag: er staat “gaslek” in het bericht.',
  });
  const on = head({ urgent: true, verdict: { ...saw, urgent: false, by: 'anna' } });
  assert.equal(sayVerdict(nl, on)?.text, 'Jij zette spoed aan.');
});

test('a correction shows at once, before the server has it, and names nobody yet', () => {
  const before = head({ urgent: true, verdict: { ...saw, urgent: true } });
  const after = overlayHead(before, [
    /** @type {any} */ ({
      op_id: '1',
      kind: 'urgent',
      conversation_id: 'c',
      payload: { urgent: false, reason: '' },
    }),
  ]);
  assert.deepEqual(sayVerdict(nl, after), {
    urgent: false,
    text: 'Spoed is weggehaald. De regel zag: er staat “gaslek” in het bericht.',
  });
});

test('an old server without verdicts, and a reason of a newer one, still say something', () => {
  assert.deepEqual(sayVerdict(nl, head({ urgent: true, urgent_reason: 'gaslek' })), {
    urgent: true,
    text: 'gaslek',
  });
  const newer = { ...saw, urgent: true, why: { code: 'drone' } };
  assert.equal(reason(nl, newer.why), '');
  assert.equal(
    sayVerdict(nl, head({ urgent: true, urgent_reason: 'gaslek', verdict: newer }))?.text,
    'gaslek',
  );
});
