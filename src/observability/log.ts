import { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { PgError } from '../base/pg-error.ts';
import type { LogFields, LogLevel } from '../base/telemetry.ts';

export type Log = {
  write(level: LogLevel, message: string, fields?: LogFields): void;
  /** Takes effect with the next line; for a reload. */
  setLevel(level: LogLevel): void;
};

/** Where a line goes; stderr in production, a collector in tests. */
export type LogDestination = { write(line: string): void };

/**
 * Lines go to stderr, so that stdout stays free for what a command answers: JSON, one object a
 * line, or, with `readable`, text for a person at a terminal. Writing is synchronous: the line that
 * explains an exit must not be lost in a buffer, and pgweave logs events, never statements.
 * Fields named like secrets are cut out whatever the caller passed.
 */
export function createLog(options: {
  readonly level: LogLevel;
  readonly readable: boolean;
  /** Who writes: `supervisor`, `worker 0` ... */
  readonly source: string;
  readonly destination?: LogDestination;
}): Log {
  const logger: Logger = pino(
    {
      level: options.level,
      base: { source: options.source, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: describeError },
      redact: { paths: secretPaths, censor: '[hidden]' },
    },
    options.readable ? readableStream(options.destination) : plainStream(options.destination),
  );
  return {
    write(level, message, fields) {
      logger[level](fields ?? {}, message);
    },
    setLevel(level) {
      logger.level = level;
    },
  };
}

const secretNames = [
  'password',
  'serverSecret',
  'hash',
  'keys',
  'verifier',
  'md5Hash',
  'secretKey',
  'mockSecret',
  'configText',
  'sql',
];
const secretPaths = secretNames.flatMap((name) => [name, `*.${name}`]);

function plainStream(destination: LogDestination | undefined): LogDestination {
  return destination ?? pino.destination({ dest: 2, sync: true });
}

function readableStream(destination: LogDestination | undefined): LogDestination {
  return PinoPretty({
    // The stream may be a pipe in a test; only a terminal understands colours.
    colorize: destination === undefined && process.stderr.isTTY === true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,source',
    messageFormat: '{source}: {msg}',
    singleLine: true,
    sync: true,
    destination: destination === undefined ? 2 : collect(destination),
  });
}

function collect(destination: LogDestination): NodeJS.WritableStream {
  return new Writable({
    write(chunk, _encoding, done) {
      destination.write(String(chunk));
      done();
    },
  });
}

/**
 * A server's error keeps code and message only: its DETAIL quotes rows. Our own mistakes keep the
 * stack, since only that leads to them.
 */
function describeError(error: unknown): unknown {
  if (error instanceof PgError) return { sqlState: error.sqlState, message: error.message };
  if (error instanceof Error) {
    const code = 'code' in error ? error.code : undefined;
    return { name: error.name, message: error.message, code, stack: error.stack };
  }
  return { message: String(error) };
}
