import { describe, expect, it } from 'vitest';
import type { ServerConnection } from '../../../src/backend/server-connection.ts';
import { PgError } from '../../../src/base/pg-error.ts';
import type { IntermediateSelect } from '../../../src/executor/select/open-intermediate-select.ts';
import type { IntermediateRun } from '../../../src/executor/target.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { encodeParameterDescription } from '../../../src/protocol/parameter-description.ts';
import {
  answer,
  int4,
  integerColumn,
  reading,
  result,
  rowsOf,
  type Stage,
  spare,
  sqlOf,
  stage,
  teach,
} from './gathered-fixture.ts';
import { at, done, head, rowDescription, rows } from './select-fixture.ts';

const withSpare = { combineServer: () => spare };

/** The rows of the results are here: the last query runs. */
function gather(staged: Stage): void {
  staged.cursor.fetch(0);
  teach(staged, 1);
  for (const shard of staged.shards.slice(0, 2)) answer(shard, 'a', '1');
}

function gathered(options: Partial<IntermediateSelect> = withSpare): Stage {
  const staged = stage([result('from t')], reading(0), options);
  gather(staged);
  return staged;
}

const missing = new PgError('42704', 'type "mood" does not exist');

describe('a query over gathered rows only', () => {
  it('runs on a server besides the primaries, where there is one', () => {
    const { combining, shards, sink } = gathered();
    expect(at(shards, 2).flights).toEqual([]);
    answer(combining, 'b', '7');
    expect(sink.events).toEqual(['description b', '7', 'complete']);
    expect([combining.released, at(shards, 2).released]).toEqual([1, 0]);
  });

  it('runs on a shard that the plan names, where the choice is none or it needs a table', () => {
    for (const options of [{ combineServer: () => null }, { ...withSpare, combines: false }]) {
      const { combining, shards, sink } = gathered(options);
      answer(at(shards, 2), 'b', '7');
      expect(sink.events).toEqual(['description b', '7', 'complete']);
      expect(combining.flights).toEqual([]);
    }
  });

  it('is run again by a primary, with the same rows, when the server fails before any row', () => {
    const failures: ((staged: Stage) => void)[] = [
      ({ combining }) => {
        combining.deliver(encodeErrorResponse(missing));
        combining.ready();
      },
      ({ combining }) => {
        combining.deliver(
          ...head([int4('b')]),
          encodeErrorResponse(new PgError('40001', 'conflict')),
        );
        combining.ready();
      },
      ({ combining }) => combining.lose(new PgError('08006', 'gone')),
      // It takes another type for the column than the shards do.
      ({ combining }) => {
        combining.deliver(...head([{ name: 'b', typeOid: 25 }]), ...rows(['x']));
        combining.ready();
      },
    ];
    for (const fail of failures) {
      const staged = gathered();
      const { combining, shards, sink } = staged;
      fail(staged);
      expect(sink.events).toEqual([]);
      expect(sqlOf(at(shards, 2))).toBe(sqlOf(combining));
      const bound = at(shards, 2).messages;
      expect(Buffer.concat(bound)).toEqual(Buffer.concat(combining.messages));
      answer(at(shards, 2), 'b', '7');
      expect(sink.events).toEqual(['description b', '7', 'complete']);
      expect(combining.released).toBe(1);
    }
  });

  it('fails for good after its first row, and when the primary fails, too', () => {
    const shown = gathered();
    shown.combining.deliver(...head([int4('b')]), ...rows(['7']));
    shown.combining.lose(new PgError('08006', 'gone'));
    expect(shown.sink.events).toEqual(['description b', '7', 'failed 08006 gone']);
    expect(at(shown.shards, 2).flights).toEqual([]);
    const twice = gathered();
    for (const connection of [twice.combining, at(twice.shards, 2)]) {
      connection.deliver(encodeErrorResponse(missing));
      connection.ready();
    }
    expect(twice.sink.events).toEqual([`failed ${missing.message}`]);
  });

  it('is not run again when it was stopped', () => {
    const { combining, shards, sink } = gathered();
    combining.deliver(encodeErrorResponse(new PgError('57014', 'statement timeout')));
    combining.ready();
    expect(sink.events).toEqual(['failed statement timeout']);
    expect(at(shards, 2).flights).toEqual([]);
    const closed = gathered();
    closed.cursor.close();
    expect(closed.combining.cancelled).toHaveLength(1);
    closed.combining.deliver(encodeErrorResponse(new PgError('40001', 'conflict')));
    closed.combining.ready();
    expect(closed.sink.events).toEqual([]);
    expect(at(closed.shards, 2).flights).toEqual([]);
  });

  it('is run by a primary when the server refuses connections or has other settings', () => {
    for (const refuses of [true, false]) {
      const options: Partial<IntermediateSelect> = {
        ...withSpare,
        acquire(shard, onConnection, onRefused) {
          if (shard !== spare) return again.request.acquireToAsk(shard, onConnection, onRefused);
          if (refuses) onRefused(new PgError('28P01', 'wrong password'));
          else {
            again.combining.parameters.set('TimeZone', 'Asia/Tokyo');
            onConnection(again.combining as ServerConnection, () => again.combining.release());
          }
          return () => {};
        },
      };
      const again = stage([result('from t')], reading(0), options);
      gather(again);
      answer(at(again.shards, 2), 'b', '7');
      expect(again.sink.events).toEqual(['description b', '7', 'complete']);
      expect([again.combining.flights, again.combining.released]).toEqual([[], refuses ? 0 : 1]);
    }
  });

  it('with binary values of a type that users made runs where these were described', () => {
    const staged = stage([result('from t')], reading(0), { ...withSpare, resultFormats: [1] });
    staged.cursor.fetch(0);
    const home = at(staged.shards, 0);
    home.deliver(encodeParameterDescription([]), rowDescription([{ name: 'b', typeOid: 16_500 }]));
    home.ready();
    home.deliver(encodeParameterDescription([]), rowDescription([int4('a')]));
    home.ready();
    home.deliver(...rows(integerColumn));
    home.ready();
    for (const shard of staged.shards.slice(0, 2)) answer(shard, 'a', '1');
    expect(sqlOf(home)).toContain('last');
    expect(staged.combining.flights).toEqual([]);
  });
});

describe('an intermediate result that reads other results only', () => {
  const inner = (): IntermediateRun[] => [
    result('from t'),
    { ...result('from ', rowsOf(0)), shards: at([result()], 0).shards.slice(1), combines: true },
  ];

  it('comes from a server besides the primaries, or from a primary if that fails', () => {
    for (const fails of [false, true]) {
      // Half of it does not count twice.
      const options = { ...withSpare, combines: false, gatherBytesMax: 5 * 4 };
      const staged = stage(inner(), reading(1), options);
      const { combining, shards, sink } = staged;
      staged.cursor.fetch(0);
      teach(staged, 2);
      for (const shard of shards.slice(0, 2)) answer(shard, 'a', '1');
      expect(sqlOf(combining)).toContain('from t.c1::');
      if (fails) {
        combining.deliver(...head([int4('a')]), ...rows(['2'], ['3']));
        combining.lose(new PgError('57P01', 'terminating connection'));
        answer(at(shards, 1), 'a', '2', '3');
      } else {
        combining.deliver(...head([int4('a')]), ...rows(['2'], ['3']), done);
        combining.ready();
      }
      answer(at(shards, 2), 'b', '7');
      expect(sink.events).toEqual(['description b', '7', 'complete']);
    }
  });
});
