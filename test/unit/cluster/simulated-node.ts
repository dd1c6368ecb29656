import type { EpochRow, ProbeAnswer } from '../../../src/cluster/failover/probe-answer.ts';
import { readNames } from '../../../src/cluster/failover/synchronous-names.ts';
import type { NodeId } from '../../../src/config/config.ts';

/** A write that waits for the standby. `epoch` and `session` tell whether its client is still there. */
type Waiting = { readonly lsn: number; readonly entry: string; readonly epoch: number };

/**
 * A PostgreSQL server as far as failover sees it: a log (the WAL) of entries, replication as copying of
 * what the upstream has more, and commits that wait for the named standby.
 */
export class SimulatedNode {
  readonly id: NodeId;
  status: 'running' | 'stopped' | 'frozen' | 'starting' = 'running';
  inRecovery: boolean;
  timeline = 1;
  starts = 1;
  names = '';
  /** Entries are unique, and what precedes one is the same wherever it is. */
  log: string[] = [];
  epoch: EpochRow | null = null;
  upstream: SimulatedNode | null = null;
  revoked = false;
  /** Its link is narrow: it falls behind. */
  slow = false;
  /** Links that a test cuts. */
  reachable = true;
  upstreamReachable = true;
  waiting: Waiting[] = [];
  lastMessageAt = 0;
  readyAt = 0;

  constructor(id: NodeId, inRecovery: boolean) {
    this.id = id;
    this.inRecovery = inRecovery;
  }

  get running(): boolean {
    return this.status === 'running';
  }

  /** Receives from its upstream: both run, the link is there, and the histories agree. */
  get streams(): boolean {
    const { upstream } = this;
    if (upstream === null || !this.inRecovery || !this.running || !upstream.running) return false;
    if (!this.upstreamReachable) return false;
    return this.log.length === 0 || upstream.log[this.log.length - 1] === this.log.at(-1);
  }

  append(entries: readonly string[]): void {
    for (const entry of entries) {
      this.log.push(entry);
      const [word, epoch = '', uuid = ''] = entry.split(' ');
      if (word === 'epoch') this.epoch = { epoch: Number(epoch), uuid };
    }
  }

  replicate(now: number, entriesMax: number): void {
    const { upstream } = this;
    if (upstream === null || !this.streams) return;
    this.lastMessageAt = now;
    this.timeline = upstream.timeline;
    this.append(upstream.log.slice(this.log.length, this.log.length + entriesMax));
  }

  start(now: number): void {
    this.starts += 1;
    this.status = 'starting';
    this.readyAt = now + 200;
    this.waiting = [];
  }

  stop(): void {
    this.status = 'stopped';
    this.waiting = [];
  }

  /** Copies everything of `source` and follows it. */
  becomeStandbyOf(source: SimulatedNode, now: number): void {
    this.log = [...source.log];
    this.epoch = source.epoch;
    this.revoked = false;
    this.timeline = source.timeline;
    this.inRecovery = true;
    this.names = '';
    this.upstream = source;
    this.start(now);
  }

  commitDone(lsn: number, others: readonly SimulatedNode[]): boolean {
    if (this.names === '') return true;
    const set = readNames(this.names);
    if (set === null) return false;
    const confirmed = others.filter(
      (standby) =>
        standby.upstream === this &&
        standby.streams &&
        set.names.includes(standby.id) &&
        standby.log.length >= lsn,
    );
    return confirmed.length >= set.count;
  }

  answer(now: number, others: readonly SimulatedNode[]): ProbeAnswer {
    const lsn = BigInt(this.log.length);
    return {
      inRecovery: this.inRecovery,
      systemId: '1',
      timeline: this.timeline,
      serverVersion: 180004,
      startedAt: String(this.starts),
      lsn,
      replayLsn: lsn,
      epoch: this.epoch,
      replayPaused: false,
      applicationName: this.inRecovery ? this.id : null,
      upstream: this.inRecovery ? (this.upstream?.id ?? '/nowhere:1') : null,
      revoked: this.revoked,
      receiverAgeMs: this.inRecovery && this.streams ? now - this.lastMessageAt : null,
      keepaliveMs: 20,
      off: [],
      synchronousStandbyNames: this.names,
      synchronousCommit: 'on',
      standbys: others
        .filter((other) => other.upstream === this && other.streams)
        .map((other) => ({
          applicationName: other.id,
          state: 'streaming',
          syncState: this.names === '' ? 'async' : 'quorum',
          flushLsn: BigInt(other.log.length),
        })),
    };
  }
}
