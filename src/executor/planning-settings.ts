import { emptySettings, type SessionSettings } from '../backend/session-settings.ts';
import { searchPathOf, splitNames } from './search-path.ts';

/** The settings of a session that decide what a text means. */
export type PlanningSettings = {
  readonly searchPath: readonly string[];
  /** null: the servers' own. */
  readonly timeZone: string | null;
  readonly standardConformingStrings: boolean;
};

export function planningSettings(settings: SessionSettings, userName: string): PlanningSettings {
  const { values } = settings;
  const strings = splitNames(values.get('standard_conforming_strings') ?? 'on')[0] ?? 'on';
  const timeZone = values.get('timezone');
  return {
    searchPath: searchPathOf(settings, userName),
    timeZone: timeZone === undefined ? null : (splitNames(timeZone)[0] ?? null),
    standardConformingStrings: !/^(off|false|no|0|f|n)$/i.test(strings),
  };
}

export const serverDefaults: PlanningSettings = planningSettings(emptySettings, '');
