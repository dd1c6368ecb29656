import type { Config, NodeAddress, NodeId } from '../../config/config.ts';
import { controlLogin, withControlConnection } from '../control-connection.ts';
import type { SchemaMistake } from './schema-mistakes.ts';
import { type TypeDifferences, typeDifferences } from './server-types.ts';
import { comparedSettings, readServerTraits, type ServerTraits } from './shard-catalogue.ts';

/** `traits` null: it could not be asked, and why. */
export type CombineAnswer = {
  readonly node: NodeAddress;
  readonly traits: ServerTraits | null;
  readonly reason: string;
};

/** Asks the dedicated servers. Never rejects. */
export async function readCombineServers(config: Config): Promise<readonly CombineAnswer[]> {
  const { combineNodes, limits } = config;
  const login = controlLogin(config);
  const timeoutMs = limits.connectTimeoutMs;
  return await Promise.all(
    combineNodes.map(async (node) => {
      try {
        const traits = await withControlConnection({ node, login, timeoutMs }, readServerTraits);
        return { node, traits, reason: '' };
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return { node, traits: null, reason };
      }
    }),
  );
}

export type CombineFindings = {
  readonly fitting: readonly NodeId[];
  readonly types: readonly TypeDifferences[];
  readonly mistakes: readonly SchemaMistake[];
};

/** Those that give the same answers as the home shard, as far as settings and collation decide. */
export function fittingServers(
  answers: readonly CombineAnswer[],
  home: ServerTraits | null,
): CombineFindings {
  const fitting: NodeId[] = [];
  const types: TypeDifferences[] = [];
  const mistakes: SchemaMistake[] = [];
  for (const { node, traits, reason } of answers) {
    const found = traits === null ? [`it cannot be asked: ${reason}`] : differences(traits, home);
    mistakes.push(...found.map((message) => mistake(node, message)));
    if (traits === null || found.length > 0) continue;
    fitting.push(node.id);
    const differing = typeDifferences(node.shard, traits.types, home?.types ?? []);
    if (differing !== null) types.push(differing);
  }
  return { fitting, types, mistakes };
}

function differences(traits: ServerTraits, home: ServerTraits | null): readonly string[] {
  const facts = [
    ...comparedSettings.map((name) => [
      name,
      settingOf(name, traits),
      home === null ? undefined : settingOf(name, home),
    ]),
    ['the collation of its database', traits.locale, home?.locale],
  ] as const;
  return facts
    .filter(([, mine, theirs]) => mine !== theirs)
    .map(([what, mine, theirs]) => {
      return `${what} is ${mine ?? 'not set'}, on the home shard it is ${theirs ?? 'not set'}`;
    });
}

/** Minor versions answer alike. */
function settingOf(name: string, { settings }: ServerTraits): string | undefined {
  const value = settings.get(name);
  return name === 'server_version_num' ? value?.replace(/\d{4}$/, '') : value;
}

function mistake({ shard }: NodeAddress, message: string): SchemaMistake {
  const remedy = 'until then primaries and standbys combine rows in its place';
  return { severity: 'warning', shard, table: null, message, remedy };
}
