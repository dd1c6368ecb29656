export const helpText = `pgweave - a sharding proxy for PostgreSQL

Usage
  pgweave demo    [--port N] [--admin-port N] [--dir DIR] [--shards N] [--no-data]
  pgweave serve   --config FILE [--allow-stranded-rows]
  pgweave check   --config FILE
  pgweave explain --config FILE "SQL"
  pgweave where   --config FILE TABLE [KEY]

Commands
  demo      A whole cluster on this machine to try things on: real PostgreSQL shards, each with
            a synchronous standby, a booking service's tables and rows, and pgweave in front.
            Prints how to connect. Ctrl-C ends everything.
  serve     Runs the proxy. SIGTERM drains it: no new clients, transactions finish, then it
            ends. SIGHUP reads the file again; a file with mistakes changes nothing, nor does
            an edit of the shard map by which rows that are there would not be found any more.
  check     Reads a configuration and prints every mistake with its line, its column and how
            to mend it (exit code 1), or the shard map that it describes (exit code 0).
  explain   Shows where a statement would go and what would be done with the shards' answers,
            without running it. Asks the servers for their tables.
  where     Says which shard owns a key, and why. Without KEY: the SQL expression that says so
            on any server.

Options of demo
  --port N         where applications connect (6432)
  --admin-port N   health, metrics (9632)
  --dir DIR        keep the cluster in DIR, and start it again from there next time
  --shards N       1 to 26 shards (4)
  --no-data        tables without rows

Options of serve
  --allow-stranded-rows  start although the edited map strands rows

Anywhere
  --help, -h       this text
  --version        the version

Once it runs
  psql "postgresql://app:app@127.0.0.1:6432/app"        your application's view
  psql "postgresql://app:app@127.0.0.1:6432/pgweave"    the admin console: SHOW HELP
  docs: README.md, docs/configuration.md, docs/shard-map.md
`;
