const rowsPerBlock = 512;
/** More than all buffers between here and a server's parser hold. */
const windowBytes = 32 * 1024 * 1024;

type Block = {
  /** For each row the number of its last line on the server, then in the client's data. */
  readonly lines: Float64Array;
  rows: number;
  /** Sent before the block was full. */
  bytesBehind: number;
};

/**
 * Which lines of the client's data the last rows sent to one server were. A server may complain of
 * what is still on its way or in its buffers, but not of rows long before those: they are forgotten.
 */
export class SentLines {
  #blocks: Block[] = [];
  #headLines = 0;
  #serverLine = 0;
  #bytes = 0;

  /** Lines that every server has got, before all rows. */
  head(lines: number, bytes: number): void {
    this.#headLines = lines;
    this.#serverLine += lines;
    this.#bytes += bytes;
  }

  /** A row of so many lines has been sent whole; its last one is `clientLine`. */
  add(lines: number, clientLine: number, bytes: number): void {
    this.#serverLine += lines;
    this.#bytes += bytes;
    let block = this.#blocks.at(-1);
    if (block === undefined || block.rows === rowsPerBlock) block = this.#begin();
    block.lines[2 * block.rows] = this.#serverLine;
    block.lines[2 * block.rows + 1] = clientLine;
    block.rows += 1;
    block.bytesBehind = this.#bytes;
  }

  /** The client's line for a server's; null: it is in no row that is known. */
  clientLine(serverLine: number): number | null {
    if (serverLine <= this.#headLines) return serverLine;
    for (const { lines, rows } of this.#blocks) {
      if ((lines[2 * rows - 2] ?? 0) < serverLine) continue;
      for (let row = 0; row < rows; row++) {
        if ((lines[2 * row] ?? 0) >= serverLine) return lines[2 * row + 1] ?? null;
      }
    }
    return null;
  }

  #begin(): Block {
    while ((this.#blocks[0]?.bytesBehind ?? this.#bytes) < this.#bytes - windowBytes) {
      this.#blocks.shift();
    }
    const block = { lines: new Float64Array(2 * rowsPerBlock), rows: 0, bytesBehind: 0 };
    this.#blocks.push(block);
    return block;
  }
}
