import type { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { decodeErrorFields } from '../../protocol/error-response.ts';
import type { RowSink } from '../select/row-sink.ts';

type Failure = PgError | { readonly frame: Buffer };

/**
 * Whether a primary is asked for what another server has failed at. That one may lack a type or a
 * role that was made a moment ago, refuse what collides with its replay, or be gone; what a
 * primary says counts. What was stopped, or is too large anywhere, does not begin again.
 */
export function mayRunElsewhere(error: Failure): boolean {
  const sqlState = sqlStateOf(error);
  return sqlState !== SqlState.queryCanceled && sqlState !== SqlState.configurationLimitExceeded;
}

/**
 * Shows nothing before rows or the end have come: until then a failure is not the client's, and
 * `again` is called in its place. `shown` is called once, when it is too late for that.
 */
export function tentativeSink(
  sink: RowSink,
  events: { again(error: Failure): void; shown(): void },
): RowSink {
  let description: Buffer | null = null;
  let isShown = false;
  const show = () => {
    if (isShown) return;
    isShown = true;
    events.shown();
    if (description !== null) sink.description(description);
    description = null;
  };
  return {
    description(frame) {
      description = frame;
    },
    rows(frames, count) {
      show();
      sink.rows(frames, count);
    },
    get writable() {
      return sink.writable;
    },
    onDrain: (callback) => sink.onDrain(callback),
    notice: (frame) => sink.notice(frame),
    suspended() {
      show();
      sink.suspended();
    },
    complete() {
      show();
      sink.complete();
    },
    failed(error) {
      if (!isShown && mayRunElsewhere(error)) events.again(error);
      else sink.failed(error);
    },
  };
}

function sqlStateOf(error: Failure): string | undefined {
  if (!('frame' in error)) return error.sqlState;
  return decodeErrorFields(error.frame, 0, error.frame.length).get('C');
}
