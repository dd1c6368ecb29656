import { unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CopyRowsIn } from '../../planner/copy/copy-plan.ts';
import type { CopyField } from '../../protocol/copy/copy-format.ts';
import type { Distribution } from '../../sharding/distribution.ts';
import { keyFromBinary, keyFromText } from '../../sharding/key-value.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { isAscii } from '../../sharding/text-key.ts';
import { ownerOf } from '../write/owners.ts';

/**
 * Where a row goes. `any`: a server will leave it out, or refuse it. An error: no server may keep it,
 * though one may find another mistake in it first.
 */
export type CopyOwner = ShardId | 'any' | PgError;

/** Encodings whose characters may have bytes that stand for ASCII elsewhere. Source: manual, 23.3.1. */
const unsafeEncodings =
  /^(?:BIG5|GB18030|GBK|JOHAB|SJIS|MSKANJI|SHIFTJIS(?:2004)?|UHC|WIN(?:DOWS)?9(?:32|36|49|50))$/;
const utf8 = /^(?:UTF8|UNICODE|SQLASCII)$/;
const latin1 = /^(?:LATIN1|ISO88591)$/;

/** Refuses encodings in which rows cannot be found byte by byte. */
export function refusedEncoding(encoding: string | null): PgError | null {
  if (encoding === null || !unsafeEncodings.test(encoding)) return null;
  return new PgError(
    SqlState.featureNotSupported,
    `COPY with encoding ${encoding} into a sharded table is not supported`,
    { hint: 'Convert the data to UTF8.' },
  );
}

export function copyOwnerReader(
  { key, options }: CopyRowsIn,
  distribution: Distribution,
  timeZone: string | null,
): (field: CopyField) => CopyOwner {
  const { format, encoding, skipsErrors } = options;
  const { keyType } = distribution;
  const target = { keyType, valueType: 'unknown', use: 'assign' } as const;
  const isBinary = format.kind === 'binary';
  const recode = isBinary ? null : recoder(encoding);
  const read = isBinary ? keyFromBinary : keyFromText;
  return (field) => {
    switch (field.kind) {
      case 'value': {
        const bytes = recode === null ? field.bytes : recode(field.bytes);
        if (bytes instanceof PgError) return bytes;
        const reading = read(target, bytes, timeZone);
        // What PostgreSQL refuses it leaves out here.
        if (reading.kind === 'invalid' && skipsErrors) return 'any';
        return owned(() => ownerOf(distribution, reading));
      }
      case 'null':
        return key.isNotNull ? 'any' : owned(() => ownerOf(distribution, field));
      case 'default':
        return new PgError(
          SqlState.featureNotSupported,
          `the default of the key "${key.name}" in COPY is not supported`,
          { hint: 'Write the value: it says which shard the row belongs to.' },
        );
      case 'missing':
        return new PgError(SqlState.badCopyFileFormat, `missing data for column "${key.name}"`);
      case 'broken':
        return 'any';
      default:
        return unreachable(field);
    }
  };
}

function owned(find: () => ShardId): CopyOwner {
  try {
    return find();
  } catch (error) {
    if (error instanceof PgError) return error;
    throw error;
  }
}

function recoder(encoding: string | null): ((bytes: Buffer) => Buffer | PgError) | null {
  if (encoding === null || utf8.test(encoding)) return null;
  return (bytes) => {
    if (isAscii(bytes)) return bytes;
    if (latin1.test(encoding)) return Buffer.from(bytes.toString('latin1'));
    return new PgError(
      SqlState.featureNotSupported,
      `a key with characters other than ASCII in encoding ${encoding} cannot be routed`,
      { hint: 'Convert the data to UTF8.' },
    );
  };
}
