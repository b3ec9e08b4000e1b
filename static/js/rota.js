/**
 * The rota as the phone knows it: who holds which shift, where nobody does, and what comes in the days ahead. Pure, so
 * that it can be read without a network. Instants are epoch milliseconds.
 * @module
 */

/** @typedef {{id: string, team: string, area: string | null, person: string, from_ms: number, to_ms: number, gone?: boolean}} Shift */
/** @typedef {{id: string, person: string, from_ms: number, to_ms: number, gone?: boolean}} Absence */
/** @typedef {{id: string, areas: string[]}} Team */
/** @typedef {{shift: Shift, away_until_ms: number | null}} Holder */
/** @typedef {{from_ms: number, to_ms: number, shift: Shift | null}} Turn a shift, or (null) a time in which nobody has one */

/** @param {{from_ms: number, to_ms: number}} span @param {number} at_ms */
const covers = ({ from_ms, to_ms }, at_ms) => from_ms <= at_ms && at_ms < to_ms;

/** Without the ones that were taken off the rota. @template {{gone?: boolean}} T @param {T[]} entries */
export const standing = (entries) => entries.filter((entry) => !entry.gone);

/**
 * Until when a person is away; null when she is there.
 * @param {Absence[]} absences
 * @param {string} person
 * @param {number} at_ms
 */
export function awayUntil(absences, person, at_ms) {
  const ends = standing(absences)
    .filter((absence) => absence.person === person && covers(absence, at_ms))
    .map(({ to_ms }) => to_ms);
  return ends.length ? Math.max(...ends) : null;
}

/**
 * Who holds a shift of a team at this instant, and for which areas nobody who is there does. A shift for an area holds for
 * the areas inside it too.
 * @param {Team} team
 * @param {Shift[]} shifts
 * @param {Absence[]} absences
 * @param {number} at_ms
 * @param {(code: string) => string | null} [parentOf]  the area around an area
 * @returns {{holders: Holder[], bare: string[] | 'all'}}
 */
export function coverage(team, shifts, absences, at_ms, parentOf = () => null) {
  const holders = standing(shifts)
    .filter((shift) => shift.team === team.id && covers(shift, at_ms))
    .sort((a, b) => a.from_ms - b.from_ms || (a.id < b.id ? -1 : 1))
    .map((shift) => ({ shift, away_until_ms: awayUntil(absences, shift.person, at_ms) }));
  const there = holders.filter(({ away_until_ms }) => away_until_ms === null);
  if (!there.length) return { holders, bare: 'all' };
  if (there.some(({ shift }) => shift.area === null)) return { holders, bare: [] };
  const held = new Set(there.map(({ shift }) => shift.area));
  /** @param {string | null} area @returns {boolean} */
  const isHeld = (area) => area !== null && (held.has(area) || isHeld(parentOf(area)));
  return { holders, bare: team.areas.filter((area) => !isHeld(area)) };
}

/**
 * Everybody who holds a shift at this instant and is there.
 * @param {Shift[]} shifts
 * @param {Absence[]} absences
 * @param {number} at_ms
 * @returns {Set<string>} person ids
 */
export function onCall(shifts, absences, at_ms) {
  return new Set(
    standing(shifts)
      .filter((shift) => covers(shift, at_ms))
      .map(({ person }) => person)
      .filter((person) => awayUntil(absences, person, at_ms) === null),
  );
}

/**
 * The turns of one team from now on, with the holes between them: a time in which nobody of the team has a shift.
 * @param {string} team
 * @param {Shift[]} shifts
 * @param {number} from_ms
 * @returns {Turn[]} in order of beginning
 */
export function turns(team, shifts, from_ms) {
  const mine = standing(shifts)
    .filter((shift) => shift.team === team && shift.to_ms > from_ms)
    .sort((a, b) => a.from_ms - b.from_ms || (a.id < b.id ? -1 : 1));
  /** @type {Turn[]} */
  const all = [];
  let covered_ms = from_ms;
  for (const shift of mine) {
    if (shift.from_ms > covered_ms)
      all.push({ from_ms: covered_ms, to_ms: shift.from_ms, shift: null });
    all.push({ from_ms: shift.from_ms, to_ms: shift.to_ms, shift });
    covered_ms = Math.max(covered_ms, shift.to_ms);
  }
  return all;
}

/**
 * Turns grouped by the day on which they begin; what began earlier is under today.
 * @param {Turn[]} all  in order of beginning
 * @param {number} now_ms
 * @param {(a: number, b: number) => boolean} sameDay
 * @returns {{day_ms: number, turns: Turn[]}[]}
 */
export function byDay(all, now_ms, sameDay) {
  /** @type {{day_ms: number, turns: Turn[]}[]} */
  const days = [];
  for (const turn of all) {
    const day_ms = Math.max(turn.from_ms, now_ms);
    const last = days.at(-1);
    if (last && sameDay(last.day_ms, day_ms)) last.turns.push(turn);
    else days.push({ day_ms, turns: [turn] });
  }
  return days;
}

/**
 * When a new shift may begin and end: it follows the team's last one with the same length, or is a day from the next
 * whole hour.
 * @param {string} team
 * @param {Shift[]} shifts
 * @param {number} now_ms
 */
export function nextShift(team, shifts, now_ms) {
  const last = standing(shifts)
    .filter((shift) => shift.team === team && shift.to_ms > now_ms)
    .sort((a, b) => a.to_ms - b.to_ms)
    .at(-1);
  const hour = 3_600_000;
  const from_ms = last ? last.to_ms : Math.ceil(now_ms / hour) * hour;
  return { from_ms, to_ms: from_ms + (last ? last.to_ms - last.from_ms : 24 * hour) };
}
