/** ReadyForQuery with its transaction status; built once and shared: never written to. */
export const readyForQuery = {
  idle: Buffer.from([0x5a, 0, 0, 0, 5, 0x49]),
  'in-transaction': Buffer.from([0x5a, 0, 0, 0, 5, 0x54]),
  failed: Buffer.from([0x5a, 0, 0, 0, 5, 0x45]),
} as const;

/** Null when the frame at `start` is not a proper ReadyForQuery. */
export function decodeReadyForQuery(
  bytes: Buffer,
  start: number,
  end: number,
): keyof typeof readyForQuery | null {
  if (end - start !== 6) return null;
  switch (bytes[start + 5]) {
    case 0x49:
      return 'idle';
    case 0x54:
      return 'in-transaction';
    case 0x45:
      return 'failed';
    default:
      return null;
  }
}
