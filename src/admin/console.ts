import { unreachable } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { Config } from '../config/config.ts';
import { suggest } from '../config/suggest.ts';
import type { AdminConsole, AdminResult } from '../frontend/admin-console.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { type AdminCommand, parseAdminCommand, type ShowSubject } from './admin-command.ts';
import type { ClusterView } from './cluster-view.ts';
import { configTable } from './config-table.ts';
import {
  clientsTable,
  helpTable,
  mapTable,
  nodesTable,
  poolsTable,
  shardsTable,
  statsTable,
  type Table,
  versionTable,
  workersTable,
} from './show-tables.ts';

type AdminUser = { readonly name: string; readonly admin: boolean };

/**
 * The commands behind the database `pgweave`. Everybody who may log in may look; what changes
 * something needs the admin right and is logged with the user's name. An empty command answers an
 * empty tag.
 */
export function createAdminConsole(view: ClusterView, telemetry: Telemetry): AdminConsole {
  return {
    async execute(sql, user) {
      const command = parseAdminCommand(sql);
      if (changesSomething(command)) demandAdmin(user, command.kind);
      switch (command.kind) {
        case 'empty':
          return done('');
        case 'show':
          return { ...(await show(view, command.subject)), tag: 'SHOW', notice: null };
        case 'set':
          return done('SET');
        case 'select-one':
          return { columns: ['?column?'], rows: [['1']], tag: 'SELECT 1', notice: null };
        case 'reload':
          return await reload(view, telemetry, user);
        case 'failover':
          return await failover(view, telemetry, user, command);
        default:
          return unreachable(command);
      }
    },
  };
}

async function show(view: ClusterView, subject: ShowSubject): Promise<Table> {
  switch (subject) {
    case 'shards':
      return shardsTable(view.status());
    case 'nodes':
      return nodesTable(view.status());
    case 'pools':
      return poolsTable(view.config(), await view.workers({ clients: false }));
    case 'clients':
      return clientsTable(await view.workers({ clients: true }));
    case 'workers':
      return workersTable(await view.workers({ clients: false }));
    case 'map':
      return mapTable(view.config());
    case 'stats':
      return statsTable(await view.workers({ clients: false }));
    case 'config':
      return configTable(view.config(), view.configPath);
    case 'version':
      return versionTable(view.version);
    case 'help':
      return helpTable();
    default:
      return unreachable(subject);
  }
}

function changesSomething(command: AdminCommand): boolean {
  return command.kind === 'reload' || command.kind === 'failover';
}

function demandAdmin(user: AdminUser, command: string): void {
  if (user.admin) return;
  throw new PgError(
    SqlState.insufficientPrivilege,
    `permission denied for ${command.toUpperCase()}`,
    { hint: `give user "${user.name}" the option admin: true in the configuration` },
  );
}

async function reload(
  view: ClusterView,
  telemetry: Telemetry,
  user: AdminUser,
): Promise<AdminResult> {
  telemetry.log('info', 'reload asked for on the console', { user: user.name });
  const { warnings } = await view.reload();
  return done('RELOAD', warnings.length === 0 ? null : warnings.join('; '));
}

async function failover(
  view: ClusterView,
  telemetry: Telemetry,
  user: AdminUser,
  { shard: name, allowDataLoss }: Extract<AdminCommand, { kind: 'failover' }>,
): Promise<AdminResult> {
  const shard = findShard(view.config(), name);
  const fields = { user: user.name, shard, allowDataLoss };
  telemetry.log('warn', 'failover asked for on the console', fields);
  const primary = await view.failover(shard, { allowDataLoss });
  return done('FAILOVER', `the primary of shard "${shard}" is now ${primary}`);
}

/** Exactly as written, else the only one that differs in letter case. */
function findShard(config: Config, name: string): ShardId {
  const { shards } = config.shardMap;
  const exact = shards.find((shard) => shard === name);
  if (exact !== undefined) return exact;
  const [folded, ...others] = shards.filter((shard) => shard.toLowerCase() === name.toLowerCase());
  if (folded !== undefined && others.length === 0) return folded;
  throw new PgError(SqlState.invalidParameterValue, `shard "${name}" does not exist`, {
    hint: suggest(name, shards),
  });
}

function done(tag: string, notice: string | null = null): AdminResult {
  return { columns: [], rows: [], tag, notice };
}
