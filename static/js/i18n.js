/**
 * Words on the screen. Dutch is the first language; a language is fetched only when it is chosen.
 * @module
 */

/** @typedef {keyof typeof import('./i18n/nl.js').messages | keyof typeof import('./i18n/nl-more.js').messages} Key */
/** @typedef {(key: Key, values?: Record<string, string | number | null | undefined>) => string} Translate */
/** @typedef {() => Promise<{messages: Record<string, string>}>} Load */

/** The first screen's words, and those of the views that are loaded later. @type {Record<string, [Load, Load]>} */
const languages = {
  nl: [() => import('./i18n/nl.js'), () => import('./i18n/nl-more.js')],
  en: [() => import('./i18n/en.js'), () => import('./i18n/en-more.js')],
};

/**
 * `one|many` is chosen by `values.n`; `{name}` is replaced by `values.name`.
 * @param {string} message
 * @param {Record<string, string | number | null | undefined>} [values]
 */
export function fill(message, values = {}) {
  const forms = message.split('|');
  const form = forms.length > 1 && values.n !== 1 ? forms[1] : forms[0];
  return (form ?? '').replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}

/**
 * @param {string | null | undefined} wanted
 * @returns {Promise<{language: string, t: Translate, more: () => Promise<void>}>} `more` fetches what the later views say
 */
export async function speak(wanted) {
  const language = wanted === 'en' ? 'en' : 'nl';
  const [first, later] = /** @type {[Load, Load]} */ (languages[language]);
  const known = { ...(await first()).messages };
  return {
    language,
    t: (key, values) => fill(/** @type {string} */ (known[key]), values),
    more: async () => void Object.assign(known, (await later()).messages),
  };
}

/**
 * A word for a code that comes from the server; an unknown code is shown as it came.
 * @param {Translate} t
 * @param {string} group
 * @param {string | null | undefined} code
 * @param {Record<string, string | number | null | undefined>} [values]
 */
export function word(t, group, code, values) {
  const key = /** @type {Key} */ (`${group}_${code}`);
  try {
    return t(key, values);
  } catch {
    // A server newer than this app may know words this app doesn't.
    return String(code ?? '');
  }
}
