import { connect, createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../src/base/clock.ts';

/**
 * `pass`; `delay`: each chunk is late by so much, both ways; `black-hole`: connections stay open and
 * new ones are taken, but nothing is read any more; `cut`: all are reset, new ones too; `refuse`: nobody
 * listens.
 */
export type RelayMode =
  | { readonly kind: 'pass' }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'black-hole' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'refuse' };

const lookEveryMs = 10;

type Pair = { readonly client: Socket; readonly server: Socket };

/** One link of a network, of which a test decides how good it is. */
export class Relay {
  readonly port: number;
  readonly #pairs = new Set<Pair>();
  #target: number;
  #mode: RelayMode = { kind: 'pass' };
  #server: Server | null = null;

  private constructor(port: number, target: number) {
    this.port = port;
    this.#target = target;
  }

  static async start(port: number, target: number): Promise<Relay> {
    const relay = new Relay(port, target);
    await relay.#listen();
    return relay;
  }

  /** Where new connections lead; those that there are are cut when it is another place. */
  async leadTo(target: number): Promise<void> {
    if (target === this.#target) return;
    this.#target = target;
    this.#reset();
    // A refusal of the old place is none of the new one.
    if (this.#mode.kind === 'pass') await this.set({ kind: 'pass' });
  }

  async set(mode: RelayMode): Promise<void> {
    this.#mode = mode;
    if (mode.kind === 'cut' || mode.kind === 'refuse') this.#reset();
    if (mode.kind === 'refuse') await this.#close();
    else await this.#listen();
    for (const pair of this.#pairs) {
      const { client, server } = pair;
      for (const socket of [client, server]) {
        if (mode.kind === 'black-hole') socket.pause();
        else socket.resume();
      }
      if (mode.kind !== 'black-hole' && (client.destroyed || server.destroyed)) endBoth(pair);
    }
  }

  async stop(): Promise<void> {
    this.#mode = { kind: 'refuse' };
    this.#reset();
    await this.#close();
  }

  async #listen(): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) =>
      this.#accept(socket),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.#server = server;
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  #accept(client: Socket): void {
    if (this.#mode.kind === 'cut') {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: '127.0.0.1', port: this.#target, noDelay: true });
    const pair = { client, server };
    this.#pairs.add(pair);
    this.#forward(client, server);
    this.#forward(server, client);
    if (this.#mode.kind === 'black-hole') server.pause();
    else client.resume();
    server.on('error', (error) => {
      if ('code' in error && error.code === 'ECONNREFUSED') this.#mirrorRefusal();
    });
    for (const socket of [client, server]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        // In a black hole the other side hears nothing of it, and is open still.
        if (this.#mode.kind !== 'black-hole') endBoth(pair);
        if (client.destroyed && server.destroyed) this.#pairs.delete(pair);
      });
    }
  }

  /** What nobody listens to any more is refused here as well, until somebody does. */
  #mirrorRefusal(): void {
    const mode = this.#mode;
    if (this.#server === null || mode.kind !== 'pass') return;
    // Both settle by themselves; a mode that is set meanwhile has the last word.
    void this.#close();
    const look = () => {
      if (this.#mode !== mode) return;
      const socket = connect({ host: '127.0.0.1', port: this.#target });
      socket.once('connect', () => {
        socket.destroy();
        if (this.#mode === mode) void this.#listen();
      });
      socket.once('error', () => systemClock.after(lookEveryMs, look));
    };
    look();
  }

  #forward(from: Socket, to: Socket): void {
    from.on('data', (chunk) => this.#soon(() => to.write(chunk)));
    from.on('end', () => this.#soon(() => to.end()));
  }

  /** In order: all are late by the same time. */
  #soon(act: () => void): void {
    if (this.#mode.kind === 'delay') systemClock.after(this.#mode.delayMs, act);
    else act();
  }

  #reset(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    this.#pairs.clear();
  }
}

function endBoth({ client, server }: Pair): void {
  client.destroy();
  server.destroy();
}
