import { createServer, type Server, type Socket } from 'node:net';
import { listen } from '../base/listen.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { Workers } from './workers.ts';

/**
 * Clients above the limit are let in this far, to be told 53300 after their startup packet and to
 * cancel a statement of the client that holds the place they wanted. More are closed unheard.
 */
const refusedMax = 256;

/**
 * Accepts clients and hands each socket, unread, to the worker with the fewest sessions. While no
 * worker is ready they wait here, within the same limit.
 */
export class ClientListener {
  readonly #workers: Workers;
  readonly #telemetry: Telemetry;
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  #clientsMax: number;
  #refusedTotal = 0;

  constructor(workers: Workers, telemetry: Telemetry, options: { readonly clientsMax: number }) {
    this.#workers = workers;
    this.#telemetry = telemetry;
    this.#clientsMax = options.clientsMax;
    this.#server = createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true });
    this.#server.on('connection', (socket) => this.#onConnection(socket));
  }

  /** Clients refused since the start. */
  get refusedTotal(): number {
    return this.#refusedTotal;
  }

  async listen(address: { readonly host: string; readonly port: number }): Promise<number> {
    const port = await listen(this.#server, { ...address, purpose: 'clients' });
    // From here on: accept failed, for want of file descriptors. Those who are in stay in.
    this.#server.on('error', (error) => {
      this.#telemetry.log('error', 'a client could not be accepted', { error });
    });
    return port;
  }

  setClientsMax(clientsMax: number): void {
    this.#clientsMax = clientsMax;
  }

  /** A worker became ready. */
  dispatchWaiting(): void {
    const waiting = this.#waiting.splice(0);
    for (const socket of waiting) this.#dispatch(socket);
  }

  /** Sockets that a dying worker did not take are given to another. */
  takeBack(sockets: readonly Socket[]): void {
    for (const socket of sockets) this.#dispatch(socket);
  }

  close(): void {
    // Its callback would wait for sessions, which are the workers' to end.
    this.#server.close();
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }

  #onConnection(socket: Socket): void {
    // A reset between accept and hand-over; the socket closes itself, nothing else to do.
    socket.on('error', ignoreError);
    this.#dispatch(socket);
  }

  #dispatch(socket: Socket): void {
    const refused = this.#workers.sessionsCount + this.#waiting.length >= this.#clientsMax;
    if (refused) this.#refusedTotal++;
    if (refused && this.#workers.refusedCount >= refusedMax) {
      socket.destroy();
      return;
    }
    if (!this.#workers.handOver(socket, refused)) this.#hold(socket, refused);
  }

  #hold(socket: Socket, refused: boolean): void {
    if (refused) socket.destroy();
    else this.#waiting.push(socket);
  }
}

function ignoreError(): void {}
