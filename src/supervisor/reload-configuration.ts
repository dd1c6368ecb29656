import type { ReloadOutcome, ReloadRehearsal, ReloadWish } from '../admin/cluster-view.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { CatalogueSnapshot } from '../cluster/catalogue/catalogue-snapshot.ts';
import type { StrandedRows } from '../cluster/map-edit/find-stranded.ts';
import { strandedError, strandedText, uncheckedError } from '../cluster/map-edit/stranded-error.ts';
import type { Config, User } from '../config/config.ts';
import type { ClusterControl } from './cluster-control.ts';
import type { LoadedConfiguration } from './loaded-configuration.ts';
import { restartWarnings } from './restart-warnings.ts';

import type { ApplyOutcome } from './workers.ts';

/** What everything works by. */
export type Configured = {
  readonly configuration: LoadedConfiguration;
  readonly fileUsers: readonly User[];
};

export type ReloadParts = {
  readonly telemetry: Telemetry;
  readonly cluster: ClusterControl;
  readonly running: Configured;
  /** Of the file as it is now; rejects with PgError F0000 that lists every mistake. */
  read(): Promise<Configured>;
  /** Lets all workers work by it; `catalogue` null: the tables that are known stay. */
  apply(next: Configured, catalogue: CatalogueSnapshot | null): Promise<ApplyOutcome>;
};

const remedy = 'RELOAD ALLOW STRANDED ROWS does it all the same.';

/**
 * Puts the file as it is now in the place of the running configuration. Rejects with PgError, and the
 * running one stays: F0000 for mistakes, 55000 for an edit of the map by which rows that are there would
 * not be found any more.
 */
export async function reloadConfiguration(
  { telemetry, cluster, running, read, apply }: ReloadParts,
  { allowStranded }: ReloadWish,
): Promise<ReloadOutcome & { readonly config: Config }> {
  const next = await read();
  const { config } = next.configuration;
  const warnings = [...restartWarnings(running.configuration.config, config)];
  if (!allowStranded) {
    const found = await strandedBy(cluster, config);
    if (found.length > 0) throw strandedError(found, remedy);
  }
  await cluster.reconfigure(config);
  const catalogue = await cluster.readCatalogue(config).catch((error: unknown) => {
    telemetry.log('warn', 'the catalogue could not be read', { error });
    warnings.push('the tables could not be read yet, new ones are known as soon as they are');
    return null;
  });
  const { refused, silent } = await apply(next, catalogue);
  if (refused.length > 0) {
    // What only a worker finds out, a certificate that cannot be read for example.
    await cluster.reconfigure(running.configuration.config);
    await apply(running, null);
    throw new PgError(SqlState.configFileError, 'the workers refuse the configuration', {
      detail: refused.join('\n'),
    });
  }
  warnings.push(...silent, ...(await adopt(cluster, config, allowStranded)));
  const shardMapVersion = config.shardMap.version;
  telemetry.log('info', 'reloaded', { shardMapVersion, warnings });
  return { shardMapVersion, warnings, config };
}

/** What reloadConfiguration() would do now. Changes nothing. */
export async function rehearseReload({
  cluster,
  running,
  read,
}: ReloadParts): Promise<ReloadRehearsal> {
  const { config } = (await read()).configuration;
  return {
    before: running.configuration.config.shardMap,
    after: config.shardMap,
    warnings: restartWarnings(running.configuration.config, config),
    stranded: await strandedBy(cluster, config),
  };
}

async function strandedBy(cluster: ClusterControl, next: Config): Promise<readonly StrandedRows[]> {
  return await cluster.findStranded(next).catch((error: unknown) => {
    throw error instanceof PgError ? uncheckedError(error, remedy) : error;
  });
}

/** Rows may have been written by the old map since they were counted. */
async function adopt(
  cluster: ClusterControl,
  config: Config,
  allowStranded: boolean,
): Promise<readonly string[]> {
  try {
    const late = allowStranded ? [] : await cluster.findStranded(config);
    await cluster.mapAdopted(config);
    return late.map((rows) => `written meanwhile: ${strandedText(rows)}`);
  } catch (error) {
    if (error instanceof PgError) return [error.message];
    throw error;
  }
}
