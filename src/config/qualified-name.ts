import type { ConfigPath, ConfigSource } from './config-source.ts';

/** `schema.name`; a name without schema means `public`. null: it is neither, which is reported. */
export function qualifiedName(
  source: ConfigSource,
  path: ConfigPath,
  kind: 'table' | 'function',
): string | null {
  const name = String(path.at(-1));
  if (/^[^."\s()]+$/.test(name)) return `public.${name}`;
  if (/^[^."\s()]+\.[^."\s()]+$/.test(name)) return name;
  const without = kind === 'function' ? 'quotes and arguments' : 'quotes';
  const remedy = `write ${kind} or schema.${kind}, without ${without}, as the catalogue spells them`;
  source.reportName(path, `"${name}" is not a ${kind} name`, remedy);
  return null;
}
