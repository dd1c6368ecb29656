import { z } from 'zod';

/**
 * Types of single options. All values arrive as text. Each type's `title` is how the reference
 * names it; a wrong value becomes a mistake with a remedy.
 */

const durationUnits: { readonly [unit: string]: number } = {
  '': 1,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const sizeUnits: { readonly [unit: string]: number } = {
  '': 1,
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
};

type Limits = { readonly min: number; readonly max: number };

/** Milliseconds, from `250ms`, `5s`, `10min`, `1h`, `1d` or a plain number of milliseconds. */
export function duration(limits: Limits) {
  const example = 'write it like 250ms, 5s or 10min';
  return quantity({ ...limits, units: durationUnits, title: 'a duration', example });
}

/** Bytes, from `64kB`, `16MB`, `1GB` (powers of 1024, as in PostgreSQL) or a plain number. */
export function size(limits: Limits) {
  const example = 'write it like 64kB, 16MB or 1GB';
  return quantity({ ...limits, units: sizeUnits, title: 'a size', example });
}

export function count({ min, max }: Limits) {
  const example = `write a whole number from ${min} to ${max}`;
  return quantity({ min, max, units: { '': 1 }, title: 'a number', example });
}

/** `auto` leaves the number to the program. */
export function countOrAuto(limits: Limits) {
  const number = count(limits);
  return z.string().transform((text, context): number | 'auto' => {
    if (text === 'auto') return text;
    const parsed = number.safeParse(text);
    if (parsed.success) return parsed.data;
    const remedy = `write auto, or a whole number from ${limits.min} to ${limits.max}`;
    return refuse(context, `"${text}" is neither auto nor a number in range`, remedy);
  });
}

/** A share of the ring: a number above 0, with a point if need be. */
export function weight({ min, max }: Limits) {
  return z.string().transform((text, context) => {
    const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    return refuse(context, `"${text}" is not a weight`, `write a number from ${min} to ${max}`);
  });
}

export function flag() {
  return z.string().transform((text, context) => {
    if (text === 'true') return true;
    if (text === 'false') return false;
    return refuse(context, `"${text}" is neither true nor false`, 'write true or false');
  });
}

export function nonEmpty(title: string) {
  return z.string().transform((text, context) => {
    if (text !== '') return text;
    return refuse(context, `${title} is empty`, 'write a value, or remove the option');
  });
}

/** Makes the value a mistake. */
export function refuse(context: z.RefinementCtx, message: string, remedy: string): never {
  context.addIssue({ code: 'custom', message, params: { remedy } });
  return z.NEVER;
}

type Quantity = Limits & {
  readonly units: { readonly [unit: string]: number };
  readonly title: string;
  readonly example: string;
};

function quantity({ min, max, units, title, example }: Quantity) {
  return z.string().transform((text, context) => {
    const match = /^(\d{1,15})\s*([A-Za-z]*)$/.exec(text);
    const factor = units[match?.[2]?.toLowerCase() ?? ''];
    if (match === null || factor === undefined) {
      return refuse(context, `"${text}" is not ${title}`, example);
    }
    const value = Number(match[1]) * factor;
    if (value >= min && value <= max) return value;
    const range = `from ${withUnit(min, units)} to ${withUnit(max, units)}`;
    return refuse(context, `"${text}" is out of range`, `write a value ${range}`);
  });
}

/** In the largest unit that divides the value. */
function withUnit(value: number, units: { readonly [unit: string]: number }): string {
  let best = { unit: '', factor: 1 };
  for (const [unit, factor] of Object.entries(units)) {
    if (value > 0 && value % factor === 0 && factor >= best.factor) best = { unit, factor };
  }
  return `${value / best.factor}${best.unit}`;
}
