import { configFile } from './config-file.ts';
import type { ConfigSource } from './config-source.ts';
import { qualifiedName } from './qualified-name.ts';
import { readEntries } from './read-shape.ts';

const entrySchema = configFile.shape.functions.def.innerType.valueType;

/** Functions that any shard may run, by `schema.function`; a name without schema means `public`. */
export function readFunctions(source: ConfigSource): readonly string[] {
  const functions = new Set<string>();
  for (const name of readEntries(source, ['functions'], entrySchema).keys()) {
    const path = ['functions', name];
    const qualified = qualifiedName(source, path, 'function');
    if (qualified === null) continue;
    if (functions.has(qualified)) {
      const message = `the function ${qualified} is listed twice`;
      source.reportName(path, message, 'a name without schema means public: remove one of the two');
    }
    functions.add(qualified);
  }
  return [...functions];
}
