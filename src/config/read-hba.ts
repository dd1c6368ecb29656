import type { z } from 'zod';
import { type IpNetwork, parseIpNetwork } from '../base/ip-network.ts';
import { configFile } from './config-file.ts';
import type { ConfigPath, ConfigSource } from './config-source.ts';
import type { HbaRule, IdentMapping } from './hba.ts';
import { readEntries, readShape } from './read-shape.ts';
import { suggest } from './suggest.ts';

type Entry = z.output<typeof configFile.shape.hba>[number];
type IdentMaps = ReadonlyMap<string, readonly IdentMapping[]>;

export type HbaContext = {
  /** Where nothing is written under `hba`. */
  readonly authentication: 'scram-sha-256' | 'trust';
  readonly allowMd5: boolean;
  /** What the proxy has for TLS; null: nothing. */
  readonly tls: { readonly hasAuthority: boolean } | null;
};

/** For `authentication: trust`: who is on this machine may be believed, nobody else. */
const loopback = ['127.0.0.0/8', '::1/128']
  .map(parseIpNetwork)
  .filter((network) => network !== null);

/** The rules in file order; without any, one rule of `authentication`. */
export function readHba(source: ConfigSource, context: HbaContext): readonly HbaRule[] {
  const maps = readIdentMaps(source);
  const entries = readShape(source, ['hba'], configFile.shape.hba) ?? [];
  if (entries.length === 0) return [onlyRule(context)];
  if ((source.at(['authentication']) ?? null) !== null) {
    const remedy = 'remove "authentication": the last rule says who is left';
    source.reportName(['authentication'], '"hba" decides, not "authentication"', remedy);
  }
  return entries.map((entry, index) => {
    const path = ['hba', index];
    checkMethod(source, path, entry, context);
    checkCertificate(source, path, entry, context);
    return {
      type: entry.type,
      databases: allOr(entry.database),
      users: allOr(entry.user),
      addresses: readAddresses(source, path, entry),
      method: entry.method,
      clientCertificate: entry.clientcert ?? (entry.method === 'cert' ? 'verify-full' : 'none'),
      certificateName: entry.clientname ?? 'CN',
      identMap: readMapName(source, path, entry, maps),
    };
  });
}

function onlyRule({ authentication }: HbaContext): HbaRule {
  return {
    type: 'host',
    databases: 'all',
    users: 'all',
    addresses: authentication === 'trust' ? loopback : 'all',
    method: authentication,
    clientCertificate: 'none',
    certificateName: 'CN',
    identMap: null,
  };
}

function allOr(written: string | readonly string[]): 'all' | readonly string[] {
  const names = typeof written === 'string' ? [written] : written;
  return names.includes('all') ? 'all' : names;
}

function readAddresses(
  source: ConfigSource,
  path: ConfigPath,
  { address, method }: Entry,
): 'all' | readonly IpNetwork[] {
  const isOne = typeof address === 'string';
  const texts = isOne ? [address] : address;
  const networks = texts.map((text, index) => {
    const at = [...path, 'address', ...(isOne ? [] : [index])];
    const network = text === 'all' ? null : parseIpNetwork(text);
    if (text !== 'all' && network === null) {
      const remedy = 'write an address or a network without host bits, like 10.0.0.0/8, or all';
      source.report(at, `"${text}" is not an address`, remedy);
    }
    if (method === 'trust' && (text === 'all' || network?.prefix === 0)) {
      const remedy = 'name the addresses, like 127.0.0.1, or use another method';
      source.report(at, 'trust for every address lets everybody in', remedy);
    }
    return network;
  });
  return texts.includes('all') ? 'all' : networks.filter((network) => network !== null);
}

function checkMethod(
  source: ConfigSource,
  path: ConfigPath,
  { method }: Entry,
  { allowMd5 }: HbaContext,
): void {
  if (method !== 'md5' || allowMd5) return;
  const remedy = 'use scram-sha-256, or set "allow_md5: true" for clients that know nothing better';
  source.report([...path, 'method'], 'md5 is not switched on', remedy);
}

function checkCertificate(
  source: ConfigSource,
  path: ConfigPath,
  { type, method, clientcert }: Entry,
  { tls }: HbaContext,
): void {
  if (type === 'hostssl' && tls === null) {
    const remedy = 'add "tls: { certificate_file: ..., key_file: ... }"';
    source.report([...path, 'type'], 'no connection is encrypted without "tls"', remedy);
  }
  if (method !== 'cert' && clientcert === undefined) return;
  const at = [...path, method === 'cert' ? 'method' : 'clientcert'];
  if (type !== 'hostssl') {
    source.report(at, 'certificates of clients need TLS', 'set "type: hostssl"');
  } else if (tls !== null && !tls.hasAuthority) {
    const remedy = 'set tls.ca_file to the authorities that sign them';
    source.report(at, 'certificates of clients cannot be verified', remedy);
  }
  if (method === 'cert' && clientcert === 'verify-ca') {
    const message = 'the method cert compares the name, which is clientcert: verify-full';
    source.report([...path, 'clientcert'], message, 'remove clientcert');
  }
}

function readMapName(
  source: ConfigSource,
  path: ConfigPath,
  { method, clientcert, map }: Entry,
  maps: IdentMaps,
): readonly IdentMapping[] | null {
  if (map === undefined) return null;
  if (method !== 'cert' && clientcert !== 'verify-full') {
    const remedy = 'remove it, or set "clientcert: verify-full"';
    source.reportName([...path, 'map'], 'a map is for names of certificates', remedy);
  }
  const mappings = maps.get(map);
  if (mappings !== undefined) return mappings;
  const known = [...maps.keys()];
  source.report([...path, 'map'], `there is no map "${map}" in "ident"`, suggest(map, known));
  return [];
}

/** As in pg_ident.conf: a system user that begins with `/` is an expression (of JavaScript). */
function readIdentMaps(source: ConfigSource): IdentMaps {
  const maps = new Map<string, readonly IdentMapping[]>();
  const written = readEntries(source, ['ident'], configFile.shape.ident.def.innerType.valueType);
  for (const [name, mappings] of written) {
    maps.set(
      name,
      mappings.map(({ system_user: text, user }, index) => {
        const at = ['ident', name, index, 'system_user'];
        return { systemUser: text.startsWith('/') ? expression(source, at, text) : text, user };
      }),
    );
  }
  return maps;
}

function expression(source: ConfigSource, path: ConfigPath, text: string): RegExp {
  try {
    return new RegExp(text.slice(1), 'u');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    source.report(path, `not a regular expression: ${reason}`, 'mend what follows the slash');
    return /(?!)/;
  }
}
