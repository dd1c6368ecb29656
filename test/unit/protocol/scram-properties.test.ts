import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  beginScramClient,
  continueScramClient,
  type ScramLogin,
  verifyScramServer,
} from '../../../src/protocol/scram-client.ts';
import { beginScramServer, finishScramServer } from '../../../src/protocol/scram-server.ts';
import { buildScramVerifier, parseScramVerifier } from '../../../src/protocol/scram-verifier.ts';
import { tlsServerEndPoint } from '../../../src/protocol/tls-server-end-point.ts';
import { anyBytes, anyName, damaged, outcome } from '../../support/properties.ts';

const salt = Buffer.from('0123456789abcdef');
const offer = { mechanism: 'SCRAM-SHA-256', endPoint: null };
const anyText = fc.string({ unit: 'binary', maxLength: 60 });

/** Few iterations: the arithmetic is the same, and there are many passwords. */
function verifierOf(password: string) {
  const verifier = parseScramVerifier(buildScramVerifier(password, salt, 1));
  if (verifier === null) throw new Error('our own verifier does not parse');
  return verifier;
}

function clientOf(password: string): ScramLogin {
  return {
    secret: { kind: 'password', password },
    clientNonce: 'client',
    binding: { kind: 'none' },
  };
}

/** What arrives after accidents on the way. */
function arrives(message: string): fc.Arbitrary<string> {
  const bytes = fc.constant(Buffer.from(message));
  return fc.oneof(fc.constant(message), damaged(bytes).map(String), anyText);
}

describe('a SCRAM login', () => {
  it('is accepted with its own password and no other, whatever characters are in it', () => {
    fc.assert(
      fc.property(anyName, anyName, (stored, given) => {
        const client = clientOf(given);
        const server = beginScramServer(
          beginScramClient(client),
          verifierOf(stored),
          'server',
          offer,
        );
        const answer = continueScramClient(client, server.message);
        const accepted = finishScramServer(server, answer.message);
        if (stored === given) expect(accepted).not.toBeNull();
        // Different spellings may be prepared into one password, but into no other.
        const isAlike = stored.normalize('NFKC').trim() === given.normalize('NFKC').trim();
        if (accepted === null) expect(stored).not.toBe(given);
        else if (!isAlike) expect(prepared(stored)).toBe(prepared(given));
      }),
      { numRuns: 100 },
    );
  });

  it('with damaged messages is refused by a PgError on either side', () => {
    const client = clientOf('pencil');
    const first = beginScramClient(client);
    const server = beginScramServer(first, verifierOf('pencil'), 'server', offer);
    const answer = continueScramClient(client, server.message);
    const final = finishScramServer(server, answer.message);
    fc.assert(
      fc.property(
        arrives(first),
        arrives(server.message),
        arrives(answer.message),
        arrives(final?.message ?? ''),
        (clientFirst, serverFirst, clientFinal, serverFinal) => {
          outcome(() => beginScramServer(clientFirst, verifierOf('pencil'), 'server', offer));
          if (!/,i=\d{4}/.test(serverFirst))
            outcome(() => continueScramClient(client, serverFirst));
          const accepted = outcome(() => finishScramServer(server, clientFinal));
          if (clientFinal !== answer.message) expect(accepted).toSatisfy(isRefusal);
          const verified = outcome(() => verifyScramServer(answer, serverFinal));
          if (serverFinal !== final?.message)
            expect(verified === true && isOther(serverFinal)).toBe(false);
        },
      ),
    );

    /** Beyond the proof, extensions are ignored. */
    function isOther(text: string): boolean {
      return !text.startsWith(final?.message ?? '');
    }
  });

  it('knows verifiers by their form alone', () => {
    const stored = fc.constant(Buffer.from(buildScramVerifier('pencil', salt, 4096)));
    fc.assert(
      fc.property(fc.oneof(damaged(stored).map(String), anyText), (text) => {
        const verifier = parseScramVerifier(text);
        if (verifier === null) return;
        expect(verifier.iterations).toBeGreaterThan(0);
        expect(verifier.storedKey).toHaveLength(32);
        expect(verifier.serverKey).toHaveLength(32);
      }),
    );
  });
});

describe('the end point of a TLS channel', () => {
  it('is read from any bytes without a fault', () => {
    const certificate = fc.constant(
      Buffer.from('308201003081f5020101300d06092a864886f70d01010b0500300f', 'hex'),
    );
    fc.assert(
      fc.property(fc.oneof(damaged(certificate), anyBytes), (bytes) => {
        expect(tlsServerEndPoint(bytes)).toSatisfy((hash) => hash === null || hash.length >= 28);
      }),
    );
  });
});

function isRefusal(accepted: unknown): boolean {
  return accepted === null || typeof accepted === 'string';
}

function prepared(password: string): string {
  return parseScramVerifier(buildScramVerifier(password, salt, 1))?.storedKey.toString('hex') ?? '';
}
