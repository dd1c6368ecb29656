import { emptySettings, type SessionSettings } from '../../backend/session-settings.ts';
import { searchPathOf, splitNames } from './search-path.ts';

/** The settings of a session that decide what a text means. */
export type PlanningSettings = {
  /** Equal only where all settings, listed here or not, and the user are equal. */
  readonly settingsNumber: number;
  /** Equal where servers read the same text alike: of all settings those that may matter to that. */
  readonly meaning: string;
  readonly searchPath: readonly string[];
  /** null: the servers' own. */
  readonly timeZone: string | null;
  readonly standardConformingStrings: boolean;
};

/** Read once from settings that many sessions share: one object for all of them. */
export class SharedPlanningSettings {
  readonly #known = new WeakMap<SessionSettings, Map<string, PlanningSettings>>();
  #lastNumber = 0;

  of(settings: SessionSettings, userName: string): PlanningSettings {
    let byUser = this.#known.get(settings);
    if (byUser === undefined) {
      byUser = new Map();
      this.#known.set(settings, byUser);
    }
    let planning = byUser.get(userName);
    if (planning === undefined) {
      this.#lastNumber += 1;
      planning = planningSettings(settings, userName, this.#lastNumber);
      byUser.set(userName, planning);
    }
    return planning;
  }
}

function planningSettings(
  settings: SessionSettings,
  userName: string,
  settingsNumber: number,
): PlanningSettings {
  const { values } = settings;
  const strings = splitNames(values.get('standard_conforming_strings') ?? 'on')[0] ?? 'on';
  const timeZone = values.get('timezone');
  return {
    settingsNumber,
    meaning: meaningOf(values),
    searchPath: searchPathOf(settings, userName),
    timeZone: timeZone === undefined ? null : (splitNames(timeZone)[0] ?? null),
    standardConformingStrings: !/^(off|false|no|0|f|n)$/i.test(strings),
  };
}

/** Have no part in what a literal, a name or an operator in a text turns out to be. */
const withoutMeaning =
  /^(?:application_name|client_min_messages|.*_timeout|enable_.*|extra_float_digits|log_.*|.*work_mem|synchronous_commit|bytea_output|client_connection_check_interval)$/;

function meaningOf(values: ReadonlyMap<string, string>): string {
  return [...values]
    .filter(([name]) => !withoutMeaning.test(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');
}

export const serverDefaults: PlanningSettings = planningSettings(emptySettings, '', 0);
