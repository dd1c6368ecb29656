import { isInNetwork, parseIpAddress } from '../base/ip-network.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { HbaRule } from '../config/hba.ts';
import type { ClientCertificate } from './client-certificate.ts';

/** A client before its login. */
export type Peer = {
  readonly user: string;
  readonly database: string;
  /** Empty when the connection has gone. */
  readonly address: string;
  readonly tls: boolean;
  readonly certificate: ClientCertificate;
  /** As in ScramOffer. */
  readonly endPoint: Buffer | null;
};

/** The first rule that fits the client. Throws PgError 28000 when none does, or one that rejects. */
export function hbaRuleFor(rules: readonly HbaRule[], peer: Peer): HbaRule {
  const address = parseIpAddress(peer.address);
  const rule = rules.find(({ type, databases, users, addresses }) => {
    if (type === 'hostssl' ? !peer.tls : type === 'hostnossl' && peer.tls) return false;
    if (users !== 'all' && !users.includes(peer.user)) return false;
    if (databases !== 'all' && !databases.some((name) => isDatabase(name, peer))) return false;
    if (addresses === 'all') return true;
    return address !== null && addresses.some((network) => isInNetwork(address, network));
  });
  if (rule === undefined) throw refused(peer, 'no hba entry for');
  if (rule.method === 'reject') throw refused(peer, 'the hba configuration rejects connection for');
  return rule;
}

/** Throws PgError 28000 when the client's certificate is not what the rule asks for. */
export function demandCertificate(rule: HbaRule, { certificate, user }: Peer): void {
  if (certificate.kind === 'invalid') {
    throw fatal('the certificate of the client is not valid', certificate.reason);
  }
  if (rule.clientCertificate === 'none') return;
  if (certificate.kind === 'none') throw fatal('connection requires a valid client certificate');
  if (rule.clientCertificate === 'verify-ca') return;
  const name =
    rule.certificateName === 'CN' ? certificate.commonName : certificate.distinguishedName;
  if (name !== null && isUser(rule, name, user)) return;
  throw fatal(`certificate authentication failed for user "${user}"`);
}

function isDatabase(name: string, peer: Peer): boolean {
  return name === 'sameuser' ? peer.database === peer.user : name === peer.database;
}

function isUser({ identMap }: HbaRule, systemUser: string, user: string): boolean {
  if (identMap === null) return systemUser === user;
  return identMap.some((mapping) => {
    if (typeof mapping.systemUser === 'string') {
      return mapping.systemUser === systemUser && mapping.user === user;
    }
    const match = mapping.systemUser.exec(systemUser);
    return match !== null && mapping.user.replace('\\1', () => match[1] ?? '') === user;
  });
}

function refused({ address, user, database, tls }: Peer, words: string): PgError {
  const encryption = tls ? 'SSL encryption' : 'no encryption';
  return fatal(`${words} host "${address}", user "${user}", database "${database}", ${encryption}`);
}

function fatal(message: string, detail?: string): PgError {
  return new PgError(SqlState.invalidAuthorization, message, { severity: 'FATAL', detail });
}
