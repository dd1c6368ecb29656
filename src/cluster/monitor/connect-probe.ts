import { connect } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import type { NodeAddress } from '../../config/config.ts';
import type { ControlLogin } from '../control-connection.ts';
import type { ConnectOutcome } from '../failover/probe-answer.ts';

const protocolVersion3 = 196_608;
/** PostgreSQL manual, section 54.7: the first byte of an ErrorResponse. */
const errorResponse = 'E'.charCodeAt(0);

/**
 * A fresh connection and a startup packet, dropped at the first answer: tells a dead server from a
 * starting, a full or a silent one without logging in. `onOutcome` is called once.
 */
export function probeConnect(
  node: NodeAddress,
  options: { readonly login: ControlLogin; readonly clock: Clock; readonly timeoutMs: number },
  onOutcome: (outcome: ConnectOutcome) => void,
): void {
  const { login, clock, timeoutMs } = options;
  const socket = connect({ host: node.host, port: node.port, noDelay: true });
  let received = Buffer.alloc(0);
  let outcome: ConnectOutcome | null = null;
  const finish = (result: ConnectOutcome) => {
    if (outcome !== null) return;
    outcome = result;
    cancelTimer();
    socket.destroy();
    onOutcome(result);
  };
  const cancelTimer = clock.after(timeoutMs, () => finish('silent'));
  socket.on('connect', () => socket.write(startupPacket(login)));
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    const result = classifyAnswer(received);
    if (result !== null) finish(result);
  });
  socket.on('error', (error) => {
    finish('code' in error && error.code === 'ECONNREFUSED' ? 'refused' : 'unreachable');
  });
  socket.on('close', () => finish('unreachable'));
}

/** null: the answer is not complete yet. */
function classifyAnswer(received: Buffer): ConnectOutcome | null {
  if (received[0] !== errorResponse) return 'alive';
  if (received.length < 5) return null;
  const end = 1 + received.readInt32BE(1);
  // No error of a startup is that long; whoever sends it is alive.
  if (end > 10_000) return 'alive';
  if (received.length < end) return null;
  const fields = received.toString('utf8', 5, end).split('\0');
  return fields.includes('C57P03') ? 'starting' : 'alive';
}

function startupPacket({ user, database }: ControlLogin): Buffer {
  const parameters = Buffer.from(`user\0${user}\0database\0${database}\0\0`);
  const packet = Buffer.alloc(8 + parameters.length);
  packet.writeInt32BE(packet.length, 0);
  packet.writeInt32BE(protocolVersion3, 4);
  parameters.copy(packet, 8);
  return packet;
}
