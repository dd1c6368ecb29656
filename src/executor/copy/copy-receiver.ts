/** Where a client's COPY data go. After `end`, `failed` or `abort` nothing more comes. */
export type CopyReceiver = {
  /** A CopyData message or, in order, its pieces: the first one begins with the header. Valid in the call. */
  add(chunk: Buffer, start: number, end: number, isFirst: boolean): void;
  /** CopyDone or CopyFail. */
  end(code: number, chunk: Buffer, start: number, end: number): void;
  /** The COPY was over before the client knew. */
  failed(): void;
  /** The client has left, or the protocol. */
  abort(reason: string): void;
  /** False: so much waits for a server that the client has to. */
  readonly writable: boolean;
  /** Calls back once, in a later turn, when writable again; never when a server is lost before. */
  onDrain(callback: () => void): void;
};

/** COPY data that may wait for a server before the client has to. */
export const copyBufferBytes = 1024 * 1024;
