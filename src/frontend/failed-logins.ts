import type { Clock } from '../base/clock.ts';
import { parseIpAddress } from '../base/ip-network.ts';

/** Somebody mistypes; a program that guesses does not stop here. */
const freeFailures = 10;
const firstPenaltyMs = 100;
const penaltyMaxMs = 1_000;
/** Without another failure for so long, an address is forgotten. */
const forgetAfterMs = 60_000;
const addressesMax = 10_000;
/** How long an address is trusted to be where a user comes from. */
const knownForMs = 600_000;
const knownMax = 10_000;

type Offender = { failures: number; lastAt: number; freeAt: number };

/**
 * Slows down whoever guesses passwords, by address: an IPv6 client owns the 64 bits below its
 * network, so those count as one. Right and wrong passwords wait alike, one after the other, so
 * that trying on many connections at once gains nothing. Who has logged in from there a short while
 * ago does not wait: behind one address there may be many, and one with an old password must not
 * keep out the others. Bounded: the address that failed longest ago makes room.
 */
export class FailedLogins {
  readonly #clock: Clock;
  readonly #tell: (address: string) => void;
  readonly #offenders = new Map<string, Offender>();
  /** When users logged in, by address and name. */
  readonly #known = new Map<string, number>();

  /** `tell` hears of failures here, so that other workers can count them too. */
  constructor(clock: Clock, tell: (address: string) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** The password was right: milliseconds until that may be told. */
  succeeded(address: string, user: string): number {
    if (this.#known.size >= knownMax) this.#known.clear();
    const pair = `${networkOf(address)} ${user}`;
    const now = this.#clock.now();
    const knownAt = this.#known.get(pair);
    this.#known.set(pair, now);
    return knownAt !== undefined && now - knownAt < knownForMs ? 0 : this.takeTurn(address);
  }

  /** Milliseconds until the next login of `address` may be told its outcome; takes that turn. */
  takeTurn(address: string): number {
    const key = networkOf(address);
    const offender = this.#offenders.get(key);
    if (offender === undefined) return 0;
    const now = this.#clock.now();
    if (now - offender.lastAt > forgetAfterMs) {
      this.#offenders.delete(key);
      return 0;
    }
    if (offender.failures < freeFailures) return 0;
    const turnAt = Math.max(now, offender.freeAt) + penaltyMs(offender.failures);
    offender.freeAt = turnAt;
    return turnAt - now;
  }

  note(address: string): void {
    this.noteElsewhere(address);
    this.#tell(address);
  }

  /** It failed at another worker. */
  noteElsewhere(address: string): void {
    const key = networkOf(address);
    const now = this.#clock.now();
    const { failures, freeAt } = this.#offenders.get(key) ?? { failures: 0, freeAt: now };
    this.#offenders.delete(key);
    this.#offenders.set(key, { failures: failures + 1, lastAt: now, freeAt });
    if (this.#offenders.size <= addressesMax) return;
    for (const oldest of this.#offenders.keys()) {
      this.#offenders.delete(oldest);
      return;
    }
  }
}

function penaltyMs(failures: number): number {
  return Math.min(penaltyMaxMs, firstPenaltyMs * 2 ** Math.min(failures - freeFailures, 16));
}

function networkOf(address: string): string {
  const parsed = parseIpAddress(address);
  if (parsed === null) return address;
  return parsed.bits === 32 ? `${parsed.value}` : `v6 ${parsed.value >> 64n}`;
}
