import type { z } from 'zod';
import type { ConfigPath, ConfigSource, ConfigValue } from './config-source.ts';
import { suggest } from './suggest.ts';

/**
 * What is written at `path`, checked and converted by `schema`; every mistake in it is reported at
 * its place. null when there was one.
 */
export function readShape<Schema extends z.ZodType>(
  source: ConfigSource,
  path: ConfigPath,
  schema: Schema,
): z.output<Schema> | null {
  // An option without a value is an option that is not there.
  const parsed = schema.safeParse(source.at(path) ?? undefined);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) reportIssue(source, path, schema, issue);
  return null;
}

/** Reads each entry of the mapping at `path` by itself: one bad entry does not hide the others. */
export function readEntries<Schema extends z.ZodType>(
  source: ConfigSource,
  path: ConfigPath,
  schema: Schema,
): ReadonlyMap<string, z.output<Schema>> {
  const entries = new Map<string, z.output<Schema>>();
  const written = source.at(path) ?? {};
  if (typeof written === 'string' || Array.isArray(written)) {
    source.report(path, `"${String(path.at(-1))}" is not a mapping`, mappingRemedy);
    return entries;
  }
  for (const name of Object.keys(written)) {
    const entry = readShape(source, [...path, name], schema);
    if (entry !== null) entries.set(name, entry);
  }
  return entries;
}

const mappingRemedy = 'write indented lines of the form "name: value"';

function reportIssue(
  source: ConfigSource,
  base: ConfigPath,
  schema: z.ZodType,
  issue: z.core.$ZodIssue,
): void {
  const path = [
    ...base,
    ...issue.path.map((step) => (typeof step === 'number' ? step : String(step))),
  ];
  const name = `"${path.filter((step) => typeof step === 'string').join('.')}"`;
  switch (issue.code) {
    case 'unrecognized_keys':
      for (const key of issue.keys) {
        const known = optionNames(schema, issue.path);
        source.reportName([...path, key], `unknown option "${key}"`, suggest(key, known));
      }
      break;
    case 'invalid_value':
    case 'invalid_type':
      if ((source.at(path) ?? null) === null) reportMissing(source, path, name);
      else source.report(path, ...wrongValue(issue, name, source.at(path)));
      break;
    case 'invalid_union':
      source.report(path, `${name} is neither a name nor a list of names`, 'write [one, two]');
      break;
    default: {
      const remedy = issue.code === 'custom' ? issue.params?.['remedy'] : undefined;
      source.report(path, issue.message, String(remedy ?? 'see docs/configuration.md'));
    }
  }
}

function reportMissing(source: ConfigSource, path: ConfigPath, name: string): void {
  if (source.at(path) === null) {
    source.reportName(path, `${name} has no value`, 'write a value after the colon');
  } else {
    source.reportName(path, `${name} is missing`, `add "${String(path.at(-1))}: ..." here`);
  }
}

function wrongValue(
  issue: z.core.$ZodIssueInvalidValue | z.core.$ZodIssueInvalidType,
  name: string,
  written: ConfigValue | undefined,
): [message: string, remedy: string] {
  if (issue.code === 'invalid_type') return wrongType(issue.expected, name);
  const choices = issue.values.map(String);
  if (typeof written !== 'string') return wrongType('string', name);
  return [`"${written}" is not a value of ${name}`, suggest(written, choices)];
}

function wrongType(expected: string, name: string): [message: string, remedy: string] {
  switch (expected) {
    case 'object':
    case 'record':
      return [`${name} is not a mapping`, mappingRemedy];
    case 'array':
      return [`${name} is not a list`, 'write [one, two] or indented lines that begin with "- "'];
    default:
      return [`${name} is not a single value`, 'write one value after the colon'];
  }
}

/** The options that a mapping of the schema may have. */
function optionNames(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let current: unknown = schema;
  for (const step of ['', ...path]) {
    if (step !== '') current = childOf(current, step);
    while (hasInner(current)) current = current.def.innerType;
  }
  return hasShape(current) ? Object.keys(current.shape) : [];
}

function childOf(schema: unknown, step: PropertyKey): unknown {
  if (hasShape(schema)) return schema.shape[String(step)];
  return (schema as { readonly element?: unknown }).element;
}

function hasInner(schema: unknown): schema is { readonly def: { readonly innerType: unknown } } {
  return (
    (schema as { readonly def?: { readonly innerType?: unknown } }).def?.innerType !== undefined
  );
}

function hasShape(
  schema: unknown,
): schema is { readonly shape: { readonly [name: string]: unknown } } {
  return typeof (schema as { readonly shape?: unknown } | undefined)?.shape === 'object';
}
