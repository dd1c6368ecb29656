import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { NodeAddress, ServerEncryption, SslMode } from '../config/config.ts';

/** How connections to servers are encrypted, with the files read. */
export type ServerTls = {
  readonly mode: SslMode;
  /** Null with `disable`. */
  readonly context: SecureContext | null;
  /** What a server's certificate must prove. */
  readonly verifies: 'nothing' | 'authority' | 'host';
};

export const noServerTls: ServerTls = { mode: 'disable', context: null, verifies: 'nothing' };

/** Where distributions keep the authorities that they trust. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/**
 * With PostgreSQL's meanings (manual, section 32.19): `require` verifies the authority where one is
 * given, and `system` stands for those of the machine (SSL_CERT_FILE, or where distributions keep
 * them). Throws PgError F0000 when a file cannot be used.
 */
export function readServerTls(
  encryption: ServerEncryption,
  environment: { readonly [name: string]: string | undefined },
): ServerTls {
  const { mode, rootCertificate, certificateFile, keyFile, crlFile } = encryption;
  if (mode === 'disable') return noServerTls;
  try {
    const context = createSecureContext({
      ...(rootCertificate === null ? {} : { ca: authorities(rootCertificate, environment) }),
      ...(certificateFile === null ? {} : { cert: readFileSync(certificateFile) }),
      ...(keyFile === null ? {} : { key: readFileSync(keyFile) }),
      ...(crlFile === null ? {} : { crl: readFileSync(crlFile) }),
      minVersion: 'TLSv1.2',
    });
    return { mode, context, verifies: verified(encryption) };
  } catch (cause) {
    throw new PgError(SqlState.configFileError, 'the TLS files for servers cannot be used', {
      detail: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}

/** For `tls.connect`, with a socket or, in pg's `ssl`, without. */
export function tlsOptionsFor(node: NodeAddress, tls: ServerTls): ConnectionOptions {
  const { host } = node;
  return {
    host,
    ...(isIP(host) === 0 && !host.startsWith('/') ? { servername: host } : {}),
    ...(tls.context === null ? {} : { secureContext: tls.context }),
    ALPNProtocols: ['postgresql'],
    rejectUnauthorized: tls.verifies !== 'nothing',
    ...(tls.verifies === 'host' ? {} : { checkServerIdentity: () => undefined }),
  };
}

function verified({ mode, rootCertificate }: ServerEncryption): ServerTls['verifies'] {
  switch (mode) {
    case 'verify-full':
      return 'host';
    case 'verify-ca':
      return 'authority';
    case 'require':
      return rootCertificate === null ? 'nothing' : 'authority';
    default:
      return 'nothing';
  }
}

function authorities(
  root: NonNullable<ServerEncryption['rootCertificate']>,
  environment: { readonly [name: string]: string | undefined },
): Buffer {
  if (root.kind === 'file') return readFileSync(root.file);
  const bundle = environment['SSL_CERT_FILE'] ?? systemBundles.find(existsSync);
  if (bundle !== undefined) return readFileSync(bundle);
  throw new Error(`no authorities found: looked for ${systemBundles.join(', ')}`);
}
