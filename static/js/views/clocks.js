/**
 * Instants as a person says them. Pure: the present and the time zone are given in.
 * @module
 */

/** @typedef {ReturnType<typeof createClocks>} Clocks */

/**
 * @param {string} language
 * @param {import('../i18n.js').Translate} t
 * @param {() => number} now epoch milliseconds
 * @param {string} [timeZone]
 */
export function createClocks(language, t, now, timeZone) {
  const locale = language === 'en' ? 'en-GB' : 'nl-NL';
  /** A formatter takes long to make, so each is made when it is first needed. @param {Intl.DateTimeFormatOptions} options */
  const format = (options) => {
    /** @type {Intl.DateTimeFormat | undefined} */
    let made;
    return (/** @type {number} */ ms) =>
      (made ??= new Intl.DateTimeFormat(locale, { timeZone, ...options })).format(ms);
  };
  const time = format({ hour: '2-digit', minute: '2-digit' });
  const weekday = format({ weekday: 'short' });
  const dayMonth = format({ day: 'numeric', month: 'short' });
  const dayMonthYear = format({ day: 'numeric', month: 'short', year: 'numeric' });
  const longDay = format({ weekday: 'long', day: 'numeric', month: 'long' });
  const elsewhere = timeZone && new Intl.DateTimeFormat('en-CA', { timeZone });

  /** The calendar day as `2026-11-03`. @param {number} ms */
  const key = (ms) => {
    if (elsewhere) return elsewhere.format(ms);
    const here = new Date(ms);
    return new Date(Date.UTC(here.getFullYear(), here.getMonth(), here.getDate()))
      .toISOString()
      .slice(0, 10);
  };
  /** Whole calendar days between then and now. @param {number} ms */
  const daysAgo = (ms) => Math.round((Date.parse(key(now())) - Date.parse(key(ms))) / 86_400_000);
  /** @param {number} ms */
  const sameYear = (ms) => key(ms).slice(0, 4) === key(now()).slice(0, 4);
  /** @param {number} ms */
  const date = (ms) => (sameYear(ms) ? dayMonth : dayMonthYear)(ms);

  return {
    time,
    /** In a list: `14:02`, `gisteren`, `ma`, `3 nov`, `3 nov 2025`. @param {number} ms */
    short(ms) {
      const days = daysAgo(ms);
      if (days <= 0) return time(ms);
      if (days === 1) return t('yesterday');
      return days < 7 ? weekday(ms) : date(ms);
    },
    /** To the minute: `14:02`, `gisteren 14:02`, `3 nov 14:02`. @param {number} ms */
    moment(ms) {
      const days = daysAgo(ms);
      if (days <= 0) return time(ms);
      return `${days === 1 ? t('yesterday') : date(ms)} ${time(ms)}`;
    },
    /** Above a day of messages. @param {number} ms */
    day(ms) {
      const days = daysAgo(ms);
      if (days <= 0) return t('today');
      if (days === 1) return t('yesterday');
      return (sameYear(ms) ? longDay : dayMonthYear)(ms);
    },
    /** Same calendar day? @param {number} a @param {number} b */
    sameDay: (a, b) => key(a) === key(b),
    /** How long ago in whole hours or days; empty under an hour. @param {number} ms */
    waited(ms) {
      const hours = Math.floor((now() - ms) / 3_600_000);
      if (hours < 1) return '';
      return hours < 24 ? t('hours', { n: hours }) : t('days', { n: Math.floor(hours / 24) });
    },
  };
}

/**
 * `12 kB`, `3,4 MB`.
 * @param {number} bytes
 * @param {string} language
 */
export function size(bytes, language) {
  const locale = language === 'en' ? 'en-GB' : 'nl-NL';
  const [amount, unit] =
    bytes < 1e6
      ? [Math.ceil(bytes / 1e3), 'kB']
      : bytes < 1e9
        ? [bytes / 1e6, 'MB']
        : [bytes / 1e9, 'GB'];
  return `${amount.toLocaleString(locale, { maximumFractionDigits: 1 })} ${unit}`;
}
