import { unreachable } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { AdminConsole, AdminResult } from '../frontend/admin-console.ts';
import { type AdminCommand, parseAdminCommand, type ShowSubject } from './admin-command.ts';
import type { ClusterView } from './cluster-view.ts';
import { configTable } from './config-table.ts';
import { driftTable } from './drift-table.ts';
import { durabilityTable, failoversTable } from './failover-tables.ts';
import { operate } from './operator-console.ts';
import { reload } from './reload-console.ts';
import type { ResolveWords } from './resolve-words.ts';
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
import { transactionsTable } from './transactions-table.ts';

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
      if (changesSomething(command)) demandAdmin(user, command);
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
          return await reload(view, telemetry, user, command.words);
        case 'operate':
          return await operate(view, telemetry, user, command.words);
        case 'resolve':
          return await resolve(view, telemetry, user, command.words);
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
    case 'durability':
      return durabilityTable(view.status());
    case 'failovers':
      return failoversTable(view.pastFailovers());
    case 'transactions':
      return transactionsTable(await view.transactions());
    case 'drift':
      return driftTable(await view.drift());
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
  if (command.kind === 'operate' || command.kind === 'reload') return !command.words.dryRun;
  return command.kind === 'resolve';
}

function demandAdmin(user: AdminUser, command: AdminCommand): void {
  if (user.admin) return;
  const name = command.kind === 'operate' ? command.words.kind : command.kind;
  throw new PgError(SqlState.insufficientPrivilege, `permission denied for ${name.toUpperCase()}`, {
    hint: `give user "${user.name}" the option admin: true in the configuration`,
  });
}

async function resolve(
  view: ClusterView,
  telemetry: Telemetry,
  user: AdminUser,
  words: ResolveWords,
): Promise<AdminResult> {
  const { id, outcome } = words;
  telemetry.log('warn', 'an operator ends a transaction', { user: user.name, id, outcome });
  return done('RESOLVE', await view.resolve(id, outcome));
}

function done(tag: string, notice: string | null = null): AdminResult {
  return { columns: [], rows: [], tag, notice };
}
