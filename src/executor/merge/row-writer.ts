import { BackendCode } from '../../protocol/message-code.ts';
import type { RowSink } from '../select/row-sink.ts';
import type { Row } from './row.ts';
import { RowBatch } from './row-batch.ts';

/** From here on a range of frames is handed over as it lies in memory, not copied. */
const wholeRangeBytes = 4 * 1024;
/** A range is handed over at this size at the latest. */
const rangeBytesMax = 32 * 1024;
/** Code, length and column count of a DataRow. */
const headerBytes = 7;

export type RowWriter = {
  add(row: Row): void;
  /** Hands over what was collected. */
  flush(): void;
};

/** Writes rows as they are: those that lie side by side in memory leave as one range. */
export function wholeRowWriter(sink: RowSink): RowWriter {
  const batch = new RowBatch(sink);
  let range: Buffer | null = null;
  let start = 0;
  let end = 0;
  let count = 0;
  const endRange = () => {
    if (range === null) return;
    if (end - start >= wholeRangeBytes) {
      batch.flush();
      sink.rows(range.subarray(start, end), count);
    } else {
      const offset = batch.reserve(end - start, count);
      range.copy(batch.bytes, offset, start, end);
    }
    range = null;
  };
  return {
    add(row) {
      if (row.bytes === range && row.start === end && end - start < rangeBytesMax) {
        end = row.end;
        count++;
        return;
      }
      endRange();
      ({ bytes: range, start, end } = row);
      count = 1;
    },
    flush() {
      endRange();
      batch.flush();
    },
  };
}

/** Writes only the first `visibleCount` columns of each row. */
export function cutRowWriter(sink: RowSink, visibleCount: number): RowWriter {
  const batch = new RowBatch(sink);
  return {
    add(row) {
      const bodyStart = row.start + headerBytes;
      // The next column's value begins behind its length word.
      const bodyEnd = row.valueStart(visibleCount) - 4;
      const length = headerBytes + bodyEnd - bodyStart;
      const offset = batch.reserve(length, 1);
      const { bytes } = batch;
      bytes[offset] = BackendCode.dataRow;
      bytes.writeInt32BE(length - 1, offset + 1);
      bytes.writeUInt16BE(visibleCount, offset + 5);
      row.bytes.copy(bytes, offset + headerBytes, bodyStart, bodyEnd);
    },
    flush: () => batch.flush(),
  };
}
