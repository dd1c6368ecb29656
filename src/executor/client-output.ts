/**
 * The way to one client. Writes are collected and leave when `flush` is called, when much has
 * been collected, or at the latest at the end of this turn of the event loop.
 */
export type ClientOutput = {
  /** Copies `bytes[start, end)`. */
  write(bytes: Buffer, start: number, end: number): void;
  /** Takes the buffer over. */
  push(frame: Buffer): void;
  flush(): void;
  /** False while the client has more than `clientBufferBytes` still to read. */
  readonly writable: boolean;
  /** Bytes that wait for the client to read. */
  readonly unsentBytes: number;
  /** Calls back once, when writable again or when the client is gone. */
  onDrain(callback: () => void): void;
};
