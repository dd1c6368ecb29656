import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** What a client showed of itself in the TLS handshake. */
export type ClientCertificate =
  | { readonly kind: 'none' }
  /** Not signed by our authorities, expired, revoked ...: OpenSSL's code for it. */
  | { readonly kind: 'invalid'; readonly reason: string }
  | {
      readonly kind: 'valid';
      /** Null when it has none, or one that no role can have. */
      readonly commonName: string | null;
      /** The whole subject, RFC 2253. */
      readonly distinguishedName: string;
    };

export function clientCertificateOf(socket: Socket): ClientCertificate {
  if (!(socket instanceof TLSSocket)) return { kind: 'none' };
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { kind: 'none' };
  if (!socket.authorized) {
    return { kind: 'invalid', reason: String(socket.authorizationError) };
  }
  const { CN } = certificate.toLegacyObject().subject as { readonly CN?: string | string[] };
  const name = Array.isArray(CN) ? CN[0] : CN;
  return {
    kind: 'valid',
    // A name with a NUL reads differently in programs that stop there: CVE-2009-4034.
    commonName: name === undefined || name.includes('\0') ? null : name,
    // One attribute a line, the most general first; a newline in a value is escaped.
    distinguishedName: certificate.subject.split('\n').toReversed().join(','),
  };
}
