import { describe, expect, it } from 'vitest';
import { md5Answer, md5Hash } from '../../../src/protocol/md5-password.ts';
import { saslPrep } from '../../../src/protocol/saslprep.ts';
import {
  beginScramClient,
  continueScramClient,
  type ScramBinding,
  type ScramLogin,
  type ScramSecret,
  scramIterationsMax,
  verifyScramServer,
} from '../../../src/protocol/scram-client.ts';
import {
  beginScramServer,
  finishScramServer,
  type ScramAccepted,
  type ScramOffer,
} from '../../../src/protocol/scram-server.ts';
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

const plain = { mechanism: 'SCRAM-SHA-256', endPoint: null };

function secretOf(password: string): ScramSecret {
  return { kind: 'password', password };
}

/** With the keys that the server has seen, null when the proof is wrong. */
function exchange(
  secret: ScramSecret,
  verifier: ScramVerifier,
  {
    offer = plain,
    binding = { kind: 'none' },
  }: { offer?: ScramOffer; binding?: ScramBinding } = {},
): ScramAccepted | null {
  const login = { secret, clientNonce: 'client', binding };
  const server = beginScramServer(beginScramClient(login), verifier, 'server', offer);
  const client = continueScramClient(login, server.message);
  const final = finishScramServer(server, client.message);
  if (final !== null) expect(verifyScramServer(client, final.message)).toBe(true);
  return final;
}

function login(password: string, verifier: ScramVerifier): 'accepted' | 'wrong password' {
  return exchange(secretOf(password), verifier) === null ? 'wrong password' : 'accepted';
}

describe('SCRAM-SHA-256', () => {
  it('agrees with the example of RFC 7677', () => {
    const server = beginScramServer(
      'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
      verifierOf('pencil'),
      '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
      plain,
    );
    expect(server.message).toBe(
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    );
    const clientFinal =
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=';
    expect(finishScramServer(server, clientFinal)?.message).toBe(
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
    expect(() => beginScramServer(message, verifierOf('a'), 's', plain)).toThrow(
      'malformed SCRAM message',
    );
  });

  it('logs in with the keys that another login has shown', () => {
    const verifier = verifierOf('pencil');
    const accepted = exchange(secretOf('pencil'), verifier);
    if (accepted === null) throw new Error('not accepted');
    expect(exchange({ kind: 'keys', keys: accepted.keys }, verifier)?.keys).toEqual(accepted.keys);
    const elsewhere = buildScramVerifier('pencil', Buffer.alloc(16, 1), 4096);
    const other = parseScramVerifier(elsewhere);
    expect(other && exchange({ kind: 'keys', keys: accepted.keys }, other)).toBeNull();
  });

  it('is bound to the channel that both ends see', () => {
    const offer = { mechanism: 'SCRAM-SHA-256-PLUS', endPoint: Buffer.from('one') };
    const bind = (text: string): ScramBinding => ({ kind: 'bound', endPoint: Buffer.from(text) });
    const attempt = (binding: ScramBinding, changes: Partial<ScramOffer> = {}) =>
      exchange(secretOf('a'), verifierOf('a'), { offer: { ...offer, ...changes }, binding });
    expect(attempt(bind('one'))).not.toBeNull();
    expect(() => attempt(bind('two'))).toThrow('SCRAM channel binding check failed');
    const without = { mechanism: 'SCRAM-SHA-256' };
    expect(() => attempt({ kind: 'unoffered' }, without)).toThrow(
      expect.objectContaining({ sqlState: '28000' }),
    );
    expect(attempt({ kind: 'none' }, without)).not.toBeNull();
    expect(attempt({ kind: 'unoffered' }, { ...without, endPoint: null })).not.toBeNull();
    expect(() => attempt(bind('one'), without)).toThrow('malformed SCRAM message');
    expect(() => attempt({ kind: 'none' })).toThrow('malformed SCRAM message');
    expect(() => beginScramServer('p=tls-unique,,n=,r=x', verifierOf('a'), 's', offer)).toThrow(
      'unsupported SCRAM channel-binding type "tls-unique"',
    );
  });

  it('refuses an authorization identity', () => {
    expect(() => beginScramServer('n,a=root,n=,r=x', verifierOf('a'), 's', plain)).toThrow(
      expect.objectContaining({ sqlState: '0A000' }),
    );
  });

  it('refuses a changed nonce or channel binding, and half a message', () => {
    const server = beginScramServer('y,,n=,r=x', verifierOf('a'), 's', plain);
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
    const unbound: ScramLogin = {
      secret: secretOf('a'),
      clientNonce: 'c',
      binding: { kind: 'none' },
    };
    const asks = (message: string) => () => continueScramClient(unbound, message);
    expect(asks('r=c,s=YQ==,i=1')).toThrow('malformed SCRAM message from server');
    expect(asks('r=other,s=YQ==,i=1')).toThrow('malformed SCRAM message from server');
    expect(asks(`r=cs,s=YQ==,i=${scramIterationsMax + 1}`)).toThrow(
      'malformed SCRAM message from server',
    );
    expect(asks('r=cs,s=YQ==,i=0')).toThrow('malformed SCRAM message from server');
    const step = continueScramClient(unbound, 'r=cs,s=YQ==,i=1');
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
    expect(md5Answer(md5Hash({ user: 'kim', password: 'secret' }), Buffer.from([1, 2, 3, 4]))).toBe(
      'md593425f99f4e36a24bc767bbf3dbdc43e',
    );
  });
});
