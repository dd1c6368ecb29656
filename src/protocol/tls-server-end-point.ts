import { createHash } from 'node:crypto';

/** DER tags, ITU-T X.690. */
const sequenceTag = 0x30;
const oidTag = 0x06;
const firstOptionTag = 0xa0;

/** Hash functions by the contents of a signature algorithm's object identifier, hexadecimal. */
const hashOfSignature: { readonly [oid: string]: string } = {
  '2a864886f70d010104': 'md5',
  '2a864886f70d010105': 'sha1',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a864886f70d01010e': 'sha224',
  '2a8648ce3d0401': 'sha1',
  '2a8648ce3d040301': 'sha224',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '608648016503040301': 'sha224',
  '608648016503040302': 'sha256',
};
const pssOid = '2a864886f70d01010a';
const hashOfPss: { readonly [oid: string]: string } = {
  '2b0e03021a': 'sha1',
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
  '608648016503040204': 'sha224',
};

type Element = { readonly contents: Buffer; readonly rest: Buffer };

/**
 * What a TLS channel is bound to: the hash of the server's certificate (DER) by the hash function
 * of its signature, SHA-256 in place of MD5 and SHA-1. Null where the signature has no hash
 * function of its own (Ed25519): there is no such binding then. Source: RFC 5929, section 4.1.
 */
export function tlsServerEndPoint(certificate: Buffer): Buffer | null {
  const name = signatureHash(certificate);
  if (name === null) return null;
  const strong = name === 'md5' || name === 'sha1' ? 'sha256' : name;
  return createHash(strong).update(certificate).digest();
}

/** RFC 5280: SEQUENCE { tbsCertificate, SEQUENCE { algorithm, parameters }, signature }. */
function signatureHash(certificate: Buffer): string | null {
  const toBeSigned = read(read(certificate, sequenceTag)?.contents, sequenceTag);
  const algorithm = read(toBeSigned?.rest, sequenceTag);
  const oid = read(algorithm?.contents, oidTag);
  if (oid === null) return null;
  const name = oid.contents.toString('hex');
  return name === pssOid ? pssHash(oid.rest) : (hashOfSignature[name] ?? null);
}

/** RFC 4055: parameters are SEQUENCE { [0] hash algorithm DEFAULT sha1, ... }. */
function pssHash(parameters: Buffer): string | null {
  const option = read(read(parameters, sequenceTag)?.contents, firstOptionTag);
  if (option === null) return 'sha1';
  const oid = read(read(option.contents, sequenceTag)?.contents, oidTag);
  return oid === null ? null : (hashOfPss[oid.contents.toString('hex')] ?? null);
}

/** The first element of `bytes`; null when it has another tag or is cut off. */
function read(bytes: Buffer | undefined, tag: number): Element | null {
  if (bytes === undefined || bytes.length < 2 || bytes[0] !== tag) return null;
  const first = bytes[1] ?? 0;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (lengthBytes > 4 || bytes.length < 2 + lengthBytes) return null;
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(2, lengthBytes);
  const start = 2 + lengthBytes;
  if (bytes.length < start + length) return null;
  return {
    contents: bytes.subarray(start, start + length),
    rest: bytes.subarray(start + length),
  };
}
