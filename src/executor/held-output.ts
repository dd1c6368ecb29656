import type { ClientOutput } from './client-output.ts';

/** More than this is not held: an answer this long is no mere tag. */
const heldBytesMax = 64 * 1024;

/** Keeps an answer back until it is known whether it holds, as long as it is short. */
export class HeldOutput implements ClientOutput {
  readonly #output: ClientOutput;
  #frames: Buffer[] = [];
  #bytes = 0;
  #passes = false;

  constructor(output: ClientOutput) {
    this.#output = output;
  }

  /** The client has seen something of it. */
  get passes(): boolean {
    return this.#passes;
  }

  get writable(): boolean {
    return this.#output.writable;
  }

  get unsentBytes(): number {
    return this.#output.unsentBytes;
  }

  write(bytes: Buffer, start: number, end: number): void {
    if (this.#passes) this.#output.write(bytes, start, end);
    else this.#hold(Buffer.from(bytes.subarray(start, end)));
  }

  push(frame: Buffer): void {
    if (this.#passes) this.#output.push(frame);
    else this.#hold(frame);
  }

  flush(): void {
    if (this.#passes) this.#output.flush();
  }

  onDrain(callback: () => void): void {
    this.#output.onDrain(callback);
  }

  /** The client gets what was kept back and what comes. */
  pass(): void {
    this.#passes = true;
    for (const frame of this.#frames) this.#output.push(frame);
    this.#frames = [];
  }

  #hold(frame: Buffer): void {
    this.#frames.push(frame);
    this.#bytes += frame.length;
    if (this.#bytes > heldBytesMax) this.pass();
  }
}
