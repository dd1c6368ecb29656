/**
 * PostgreSQL's day numbers: days since 2000-01-01 in the proleptic Gregorian calendar. `year` is
 * astronomical: 0 is 1 BC, -1 is 2 BC. Eras of 400 years (146,097 days) begin on 1 March, so that
 * the leap day is an era's last one.
 */
export type CivilDate = { readonly year: number; readonly month: number; readonly day: number };

const daysPerEra = 146_097;
/** Days from 0000-03-01 to 2000-01-01. */
const epochOffset = 730_425;

export const microsecondsPerDay = 86_400_000_000n;

/** The extreme values that PostgreSQL stores for 'infinity' and '-infinity'. */
export const infiniteDate = 2n ** 31n - 1n;
export const minusInfiniteDate = -(2n ** 31n);
export const infiniteTimestamp = 2n ** 63n - 1n;
export const minusInfiniteTimestamp = -(2n ** 63n);

export function dayNumber({ year, month, day }: CivilDate): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * daysPerEra + dayOfEra - epochOffset;
}

export function civilDate(dayNumber: number): CivilDate {
  const sinceMarch = dayNumber + epochOffset;
  const era = Math.floor(sinceMarch / daysPerEra);
  const dayOfEra = sinceMarch - era * daysPerEra;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

export function daysInMonth(year: number, month: number): number {
  if (month === 2) {
    return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  }
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
