export type DemoSight = {
  readonly port: number;
  readonly adminPort: number;
  readonly configPath: string;
  /** A primary to kill. */
  readonly victim: { readonly shard: string; readonly name: string; readonly pid: number | null };
};

/**
 * What the demo prints when clients can connect. Programs wait for the line that begins with
 * `ready `.
 */
export function demoText(sight: DemoSight): string {
  const { port, adminPort, configPath, victim } = sight;
  const url = `postgresql://app:app@127.0.0.1:${port}/app`;
  const console = `postgresql://app:app@127.0.0.1:${port}/pgweave`;
  return `
ready ${url}

  Try it in another terminal
    psql "${url}"

  One customer: one shard
    select * from reservation where cust_id = 'Kim-0001' order by date desc limit 5;
  The monthly revenue: all shards, merged
    select date_trunc('month', date) as month, sum(payment) as revenue, count(*)
      from reservation group by 1 order by 1 desc limit 12;
  What pgweave makes of it
    explain select count(*) from reservation;
    explain select * from reservation where cust_id = 'Kim-0001';

  Kill a primary and watch: the standby takes over, and the dead one comes back as its standby
    psql "${console}" -c 'show nodes'
    kill -9 ${victim.pid ?? '<pid>'}    # ${victim.name}, the primary of ${victim.shard}
    psql "${console}" -c 'show shards'

  Health and metrics
    http://127.0.0.1:${adminPort}/readyz   http://127.0.0.1:${adminPort}/metrics
  Configuration
    ${configPath}

  Ctrl-C stops everything.
`;
}
