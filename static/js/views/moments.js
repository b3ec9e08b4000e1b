/** Instants in the fields of a form. Pure. */

/** An instant as <input type=datetime-local> wants it: local time without a zone. @param {number} ms */
export function localMinute(ms) {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

/** What such a field says, as an instant; NaN when it is empty. @param {string} value */
export const instantOf = (value) => new Date(value).getTime();

/** Minutes of a day as <input type=time> wants them. @param {number} minutes */
export const clockOf = (minutes) =>
  `${String(Math.floor(minutes / 60) % 24).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;

/** @param {string} value  as in `22:30` @returns {number} minutes of the day; NaN when it is empty */
export function minutesOf(value) {
  const [hours, minutes] = value.split(':').map(Number);
  return (hours ?? NaN) * 60 + (minutes ?? NaN);
}

/**
 * Instants that are still to come, as a person says them: `14:02`, `morgen 08:00`, `do 27 nov 08:00`.
 * @param {string} language
 * @param {import('../i18n.js').Translate} t
 * @param {() => number} now epoch milliseconds
 * @param {string} [timeZone]
 */
export function createAhead(language, t, now, timeZone) {
  const locale = language === 'en' ? 'en-GB' : 'nl-NL';
  /** @param {Intl.DateTimeFormatOptions} options */
  const format = (options) => new Intl.DateTimeFormat(locale, { timeZone, ...options });
  const clock = format({ hour: '2-digit', minute: '2-digit' });
  const shortDay = format({ weekday: 'short', day: 'numeric', month: 'short' });
  const longDay = format({ weekday: 'long', day: 'numeric', month: 'long' });
  const key = new Intl.DateTimeFormat('en-CA', { timeZone });
  /** Whole calendar days from one instant to another. @param {number} from_ms @param {number} ms */
  const days = (from_ms, ms) =>
    Math.round((Date.parse(key.format(ms)) - Date.parse(key.format(from_ms))) / 86_400_000);
  /** @param {number} ms */
  const time = (ms) => clock.format(ms);

  return {
    time,
    /** To the minute, with its day unless that is the day of `from_ms`. @param {number} ms @param {number} [from_ms] */
    moment(ms, from_ms = now()) {
      if (days(from_ms, ms) === 0) return time(ms);
      const named = days(now(), ms) === 1 ? t('oncall_tomorrow') : shortDay.format(ms);
      return `${named} ${time(ms)}`;
    },
    /** Above the turns of a day. @param {number} ms */
    day(ms) {
      const ahead = days(now(), ms);
      const named = longDay.format(ms);
      if (ahead > 1) return named;
      return t(ahead === 1 ? 'oncall_day_tomorrow' : 'oncall_day_today', { day: named });
    },
    /** @param {number} a @param {number} b */
    sameDay: (a, b) => days(a, b) === 0,
  };
}

/** @typedef {ReturnType<typeof createAhead>} Ahead */
