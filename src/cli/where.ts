import { unreachable } from '../base/assert.ts';
import type { PgError } from '../base/pg-error.ts';
import { type LoadOptions, loadConfig } from '../config/load-config.ts';
import type { Distribution } from '../sharding/distribution.ts';
import { keyFromText } from '../sharding/key-value.ts';
import type { ShardMap } from '../sharding/shard-map.ts';
import { mistakesText } from './check.ts';
import type { CommandResult } from './command-result.ts';

/**
 * `pgweave where TABLE KEY`: the shard that owns a key, and why. `table` is `table` or
 * `schema.table`. With `key` null (`pgweave where TABLE`): the SQL expression that gives the owner of
 * each row. Exit code 1 when no shard owns the key or the question cannot be answered.
 */
export function where(
  text: string,
  options: LoadOptions,
  { table, key }: { readonly table: string; readonly key: string | null },
): CommandResult {
  const loaded = loadConfig(text, options);
  if (loaded.kind === 'rejected') {
    return { text: mistakesText(loaded.mistakes, options.path), exitCode: 1 };
  }
  return locate(loaded.config.shardMap, table, key);
}

function locate(map: ShardMap, table: string, key: string | null): CommandResult {
  const name = table.includes('.') ? table : `public.${table}`;
  const sharding = map.tables.get(name) ?? { kind: 'local' };
  switch (sharding.kind) {
    case 'local':
      return found(map.home, `${name} is not listed: its rows live on the home shard`);
    case 'reference':
      return found(map.shards.join(', '), `${name} is a reference table: a full copy everywhere`);
    case 'distributed':
      return key === null
        ? placement(sharding.distribution, sharding.key)
        : locateKey(sharding.distribution, key);
    default:
      return unreachable(sharding);
  }
}

/** Alone on its line, so that it can be pasted or captured. */
function placement(distribution: Distribution, column: string): CommandResult {
  const columnSql = `"${column.replaceAll('"', '""')}"`;
  return { text: `${distribution.placementSql(columnSql)}\n`, exitCode: 0 };
}

function locateKey(distribution: Distribution, text: string): CommandResult {
  const { keyType } = distribution;
  const reading = keyFromText({ keyType, valueType: 'unknown', use: 'compare' }, text);
  switch (reading.kind) {
    case 'key': {
      const shard = distribution.shardOf(reading.key);
      const reason = distribution.explain(reading.key);
      return shard === null ? failed(`no shard: ${reason}`) : found(shard, reason);
    }
    case 'invalid':
    case 'unknown':
      return failed(errorText(reading.error));
    case 'null':
    case 'no-match':
      return failed(`no key of type ${keyType} equals ${text}`);
    default:
      return unreachable(reading);
  }
}

function errorText({ message, hint }: PgError): string {
  return hint === undefined ? message : `${message}\n    ${hint}`;
}

function found(shard: string, reason: string): CommandResult {
  return { text: `${shard}\n    ${reason}\n`, exitCode: 0 };
}

function failed(text: string): CommandResult {
  return { text: `${text}\n`, exitCode: 1 };
}
