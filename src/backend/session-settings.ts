/**
 * The SETs of a session, as an immutable value: equal contents are the same object (interned), so
 * that "does this server connection fit?" is one comparison.
 */
export type SessionSettings = {
  /** name (lower case) -> SQL text right of SET ... TO. */
  readonly values: ReadonlyMap<string, string>;
  /** Characters of all names and values, with something for each. */
  readonly length: number;
  with(name: string, value: string): SessionSettings;
  without(name: string): SessionSettings;
  /** SQL that turns a server session in state `from` into this one; null when nothing differs. */
  replay(from: SessionSettings): string | null;
};

/**
 * Equal contents are one object as long as somebody holds it; what nobody holds any more is
 * collected, entry and all, so that `SET app.user TO '<anything>'` cannot fill the memory.
 */
const interned = new Map<string, WeakRef<InternedSettings>>();
const collected = new FinalizationRegistry<string>((key) => {
  // The key may have been taken again in the meantime by a new object with the same contents.
  if (interned.get(key)?.deref() === undefined) interned.delete(key);
});

class InternedSettings implements SessionSettings {
  readonly values: ReadonlyMap<string, string>;
  readonly length: number;

  constructor(values: ReadonlyMap<string, string>, length: number) {
    this.values = values;
    this.length = length;
  }

  with(name: string, value: string): SessionSettings {
    if (this.values.get(name) === value) return this;
    return intern(new Map([...this.values, [name, value]]));
  }

  without(name: string): SessionSettings {
    if (!this.values.has(name)) return this;
    return intern(new Map([...this.values].filter(([key]) => key !== name)));
  }

  replay(from: SessionSettings): string | null {
    if (from === this) return null;
    const statements = [...identityResets(from, this), ...plainChanges(from, this)];
    statements.push(...identitySets(from, this));
    return statements.length === 0 ? null : statements.join('; ');
  }
}

/** The number of distinct settings that are held; for tests and metrics. */
export function internedSettingsCount(): number {
  return interned.size;
}

/** What a server session holds right after the login. */
export const emptySettings: SessionSettings = intern(new Map());

function intern(values: ReadonlyMap<string, string>): SessionSettings {
  const sorted = [...values].sort(([left], [right]) => (left < right ? -1 : 1));
  const key = JSON.stringify(sorted);
  const known = interned.get(key)?.deref();
  if (known !== undefined) return known;
  const settings = new InternedSettings(new Map(sorted), key.length);
  interned.set(key, new WeakRef(settings));
  collected.register(settings, key);
  return settings;
}

// Who the session acts as decides what it may set. So the old identity goes first, and the new one
// comes last; a new session_authorization resets the role, which is why the role follows it.
const identityNames = ['session_authorization', 'role'];

function identityChanges(from: SessionSettings, to: SessionSettings): boolean {
  return identityNames.some((name) => from.values.get(name) !== to.values.get(name));
}

function identityResets(from: SessionSettings, to: SessionSettings): string[] {
  if (!identityChanges(from, to)) return [];
  return identityNames.filter((name) => from.values.has(name)).map(resetOf);
}

function identitySets(from: SessionSettings, to: SessionSettings): string[] {
  if (!identityChanges(from, to)) return [];
  return identityNames.flatMap((name) => setOf(name, to.values.get(name)));
}

function plainChanges(from: SessionSettings, to: SessionSettings): string[] {
  const isPlain = (name: string) => !identityNames.includes(name);
  const gone = [...from.values.keys()].filter((name) => isPlain(name) && !to.values.has(name));
  const changed = [...to.values].filter(
    ([name, value]) => isPlain(name) && from.values.get(name) !== value,
  );
  return [...gone.map(resetOf), ...changed.flatMap(([name, value]) => setOf(name, value))];
}

function setOf(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`SET ${quoteSettingName(name)} TO ${value}`];
}

function resetOf(name: string): string {
  return `RESET ${quoteSettingName(name)}`;
}

/** Each part of `extension.name` is quoted by itself. */
export function quoteSettingName(name: string): string {
  return name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
}
