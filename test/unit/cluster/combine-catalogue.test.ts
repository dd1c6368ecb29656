import { expect, it } from 'vitest';
import {
  type CombineAnswer,
  fittingServers,
} from '../../../src/cluster/catalogue/combine-catalogue.ts';
import { mistakeText } from '../../../src/cluster/catalogue/schema-mistakes.ts';
import {
  comparedSettings,
  type ServerTraits,
} from '../../../src/cluster/catalogue/shard-catalogue.ts';
import { combineIdOf } from '../../../src/config/combine-id.ts';
import { node } from '../../support/config-fixture.ts';

const settings = new Map(comparedSettings.map((name) => [name as string, 'same']));
const traits: ServerTraits = {
  defaultCollation: 'linguistic',
  locale: 'i C C 153.120 de',
  settings: new Map([...settings, ['server_version_num', '180004']]),
  types: [{ name: 'public.mood', oid: 16_400, parts: null }],
};

function find(changes: Partial<ServerTraits> | null, reason = '') {
  const address = node(combineIdOf('127.0.0.1:91'), 91);
  const found = changes === null ? null : { ...traits, ...changes };
  const answer: CombineAnswer = { node: address, traits: found, reason };
  return fittingServers([answer], traits);
}

it('lets a server combine that is like the home shard, whatever OIDs it has given to types', () => {
  expect(find({})).toEqual({ fitting: ['127.0.0.1:91'], types: [], mistakes: [] });
  const others = find({ types: [{ name: 'public.mood', oid: 17_000, parts: null }] });
  expect(others.types).toEqual([
    { shard: '(combine 127.0.0.1:91)', oids: [[17_000, 16_400]], parts: [] },
  ]);
  const newer = new Map([...traits.settings, ['server_version_num', '180009']]);
  expect(find({ settings: newer }).fitting).toHaveLength(1);
});

it('does without a server that would answer differently, or does not answer, and says why', () => {
  const setting = (name: string, value: string) => ({
    settings: new Map([...traits.settings, [name, value]]),
  });
  const cases = [
    [find(setting('TimeZone', 'Asia/Tokyo')), 'TimeZone is Asia/Tokyo, on the home shard it is'],
    [find(setting('server_version_num', '170004')), 'server_version_num is 17'],
    [find({ locale: 'c C C' }), 'the collation of its database is c C C'],
    [find(null, 'connection refused'), 'it cannot be asked: connection refused'],
  ] as const;
  for (const [{ fitting, types, mistakes }, message] of cases) {
    expect([fitting, types]).toEqual([[], []]);
    expect(mistakes.map(({ severity }) => severity)).toEqual(['warning']);
    expect(mistakes.map(mistakeText)).toEqual([
      expect.stringContaining(`server (combine 127.0.0.1:91): ${message}`),
    ]);
  }
});
