import { describe, expect, it } from 'vitest';
import { md5Password } from '../../../src/protocol/md5-password.ts';
import { saslPrep } from '../../../src/protocol/saslprep.ts';
import {
  beginScramClient,
  continueScramClient,
  scramIterationsMax,
  verifyScramServer,
} from '../../../src/protocol/scram-client.ts';
import { beginScramServer, finishScramServer } from '../../../src/protocol/scram-server.ts';
import {
  buildScramVerifier,
  mockScramVerifier,
  parseScramVerifier,
  type ScramVerifier,
} from '../../../src/protocol/scram-verifier.ts';

const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');

function verifierOf(password: string): ScramVerifier {
  const verifier = parseScramVerifier(buildScramVerifier(password, salt, 4096));
  if (verifier === null) throw new Error('our own verifier does not parse');
  return verifier;
}

function login(password: string, verifier: ScramVerifier): 'accepted' | 'wrong password' {
  const server = beginScramServer(beginScramClient('client'), verifier, 'server');
  const client = continueScramClient({ password, clientNonce: 'client' }, server.message);
  const final = finishScramServer(server, client.message);
  if (final === null) return 'wrong password';
  expect(verifyScramServer(client, final)).toBe(true);
  return 'accepted';
}

describe('SCRAM-SHA-256', () => {
  it('agrees with the example of RFC 7677', () => {
    const server = beginScramServer(
      'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
      verifierOf('pencil'),
      '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
    );
    expect(server.message).toBe(
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    );
    const clientFinal =
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=';
    expect(finishScramServer(server, clientFinal)).toBe(
      'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    );
  });

  it('lets the right password in and no other', () => {
    expect(login('pencil', verifierOf('pencil'))).toBe('accepted');
    expect(login('Pencil', verifierOf('pencil'))).toBe('wrong password');
    expect(login('비밀번호', verifierOf('비밀번호'))).toBe('accepted');
  });

  it('makes an unknown user look like a wrong password, with the same salt each time', () => {
    const secret = Buffer.from('secret of this start');
    const mock = mockScramVerifier('nobody', secret);
    expect(mock).toEqual(mockScramVerifier('nobody', secret));
    expect(mock.salt).not.toEqual(mockScramVerifier('somebody', secret).salt);
    expect(mock.salt.length).toBe(16);
    expect(login('pencil', mock)).toBe('wrong password');
  });

  it('stores verifiers as PostgreSQL does', () => {
    expect(buildScramVerifier('pencil', salt, 4096)).toBe(
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    );
    for (const text of [
      '',
      'md5abc',
      'SCRAM-SHA-256$0:W22Z$x:y',
      `${buildScramVerifier('a', salt, 1)}x`,
    ]) {
      expect(parseScramVerifier(text)).toBeNull();
    }
  });

  it.each([
    ['p=tls-server-end-point,,n=,r=x'],
    ['n,,m=1,n=,r=x'],
    ['n,,n=,r='],
    ['x'],
    [''],
    ['n,,n=,r=a\u0007'],
  ])('refuses the first message %j', (message) => {
    expect(() => beginScramServer(message, verifierOf('a'), 's')).toThrow(
      'malformed SCRAM message',
    );
  });

  it('refuses an authorization identity', () => {
    expect(() => beginScramServer('n,a=root,n=,r=x', verifierOf('a'), 's')).toThrow(
      expect.objectContaining({ sqlState: '0A000' }),
    );
  });

  it('refuses a changed nonce or channel binding, and half a message', () => {
    const server = beginScramServer('y,,n=,r=x', verifierOf('a'), 's');
    const proof = `p=${Buffer.alloc(32).toString('base64')}`;
    expect(finishScramServer(server, `c=eSws,r=xs,${proof}`)).toBeNull();
    for (const message of [
      `c=biws,r=xs,${proof}`,
      `c=eSws,r=xt,${proof}`,
      'c=eSws,r=xs',
      '',
      `c=eSws,r=xs,p=AA==`,
    ]) {
      expect(() => finishScramServer(server, message)).toThrow('malformed SCRAM message');
    }
  });

  it('distrusts a server that replays the nonce, asks for hours of hashing, or cannot prove itself', () => {
    const asks = (message: string) => () =>
      continueScramClient({ password: 'a', clientNonce: 'c' }, message);
    expect(asks('r=c,s=YQ==,i=1')).toThrow('malformed SCRAM message from server');
    expect(asks('r=other,s=YQ==,i=1')).toThrow('malformed SCRAM message from server');
    expect(asks(`r=cs,s=YQ==,i=${scramIterationsMax + 1}`)).toThrow(
      'malformed SCRAM message from server',
    );
    expect(asks('r=cs,s=YQ==,i=0')).toThrow('malformed SCRAM message from server');
    const step = continueScramClient({ password: 'a', clientNonce: 'c' }, 'r=cs,s=YQ==,i=1');
    expect(verifyScramServer(step, `v=${Buffer.alloc(32).toString('base64')}`)).toBe(false);
    expect(() => verifyScramServer(step, 'e=other-error')).toThrow(
      'malformed SCRAM message from server',
    );
  });
});

describe('password preparation', () => {
  it.each([
    ['plain', 'plain'],
    ['I\u00adX', 'IX'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    ['a\u00a0b', 'a b'],
    ['tab\tremains', 'tab\tremains'],
    ['\u0007\u2168', '\u0007\u2168'], // prohibited: as it is
    ['\u0627\u0031\u2168', '\u0627\u0031\u2168'], // mixed directions: as it is
    ['\u00ad', '\u00ad'], // nothing remains: as it is
  ])('turns %j into %j', (password, prepared) => {
    expect(saslPrep(password)).toBe(prepared);
  });
});

describe('the md5 answer', () => {
  it('is the one that PostgreSQL computes', () => {
    // md5(md5('secret' + 'kim') in hex + salt), worked out with the md5sum command.
    expect(md5Password({ user: 'kim', password: 'secret', salt: Buffer.from([1, 2, 3, 4]) })).toBe(
      'md593425f99f4e36a24bc767bbf3dbdc43e',
    );
  });
});
