import { connect, type Socket } from 'node:net';

/** Reads lines from a socket; `line()` is null once the other side has closed. */
export class LineClient {
  readonly socket: Socket;
  readonly #lines: string[] = [];
  readonly #waiters: ((line: string | null) => void)[] = [];
  #rest = '';
  #closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      const parts = (this.#rest + String(chunk)).split('\n');
      this.#rest = parts.pop() ?? '';
      for (const part of parts) this.#deliver(part);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      for (const waiter of this.#waiters.splice(0)) waiter(null);
    });
  }

  static connect(port: number): Promise<LineClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port });
      const client = new LineClient(socket);
      socket.once('connect', () => resolve(client));
      socket.once('error', reject);
    });
  }

  line(): Promise<string | null> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#closed) return Promise.resolve(null);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  async ask(text: string): Promise<string | null> {
    this.socket.write(`${text}\n`);
    return await this.line();
  }

  close(): void {
    this.socket.destroy();
  }

  #deliver(line: string): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#lines.push(line);
    else waiter(line);
  }
}
