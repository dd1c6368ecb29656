/**
 * The SETs of a session, as an immutable value: equal contents are the same object (interned), so
 * that "does this server connection fit?" is one comparison.
 */
export type SessionSettings = {
  /** name (lower case) -> SQL text right of SET ... TO. */
  readonly values: ReadonlyMap<string, string>;
  with(name: string, value: string): SessionSettings;
  without(name: string): SessionSettings;
  /** SQL that turns a server session in state `from` into this one; null when nothing differs. */
  replay(from: SessionSettings): string | null;
};
