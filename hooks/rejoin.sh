#!/bin/sh
# Rejoin hook: makes the data directory of an old primary a standby of the new one, with pg_rewind,
# or with a fresh copy (pg_basebackup) where that cannot be done. Runs on the node itself: on another
# machine call it through ssh, see docs/failover.md.
#
# From pgweave: PGWEAVE_NODE, PGWEAVE_PRIMARY_HOST, PGWEAVE_PRIMARY_PORT, PGWEAVE_EPOCH, ...
# From you:     PGDATA, and if need be PGBIN (where pg_ctl lies), REJOIN_USER (a role that may
#               replicate and, for pg_rewind, read files; default postgres), REJOIN_NAME (its
#               application_name; default PGWEAVE_NODE), REJOIN_DATABASE (default postgres).
#               The password is in ~/.pgpass.
# Exit codes:   0 done, 75 try again later, anything else: failed, an operator must look.
set -eu

: "${PGDATA:?set PGDATA to the data directory of this node}"
: "${PGWEAVE_PRIMARY_HOST:?this is a hook of pgweave}"
PATH="${PGBIN:+$PGBIN:}$PATH"
user=${REJOIN_USER:-postgres}
name=${REJOIN_NAME:-$PGWEAVE_NODE}
source="host=$PGWEAVE_PRIMARY_HOST port=$PGWEAVE_PRIMARY_PORT user=$user connect_timeout=2"
conninfo="$source application_name=$name tcp_user_timeout=2000 keepalives_idle=1 keepalives_interval=1 keepalives_count=3"

# One at a time, whoever asks.
lock="$PGDATA.rejoin"
mkdir "$lock" 2>/dev/null || { echo "another rejoin of $PGDATA is under way"; exit 75; }
trap 'rmdir "$lock"' EXIT

stop() {
  if pg_ctl -D "$PGDATA" status >/dev/null 2>&1; then
    # Everything that this node alone knows is given up: nobody was told that it is committed.
    pg_ctl -D "$PGDATA" -w -t 20 -m fast stop >/dev/null || pg_ctl -D "$PGDATA" -w -m immediate stop >/dev/null
  fi
}

# The settings of the new primary came along with its files: what this node is goes last, so it wins.
become_standby() {
  auto="$PGDATA/postgresql.auto.conf"
  grep -Ev '^(primary_conninfo|synchronous_standby_names|default_transaction_read_only) ' "$auto" >"$auto.new" || true
  printf "primary_conninfo = '%s'\n" "$conninfo" >>"$auto.new"
  mv "$auto.new" "$auto"
  : >"$PGDATA/standby.signal"
}

rewind() {
  # A twin, promoted to the same timeline by somebody else, looks unchanged to pg_rewind.
  own=$(pg_controldata "$PGDATA" | sed -n "s/^Latest checkpoint's TimeLineID: *//p")
  if [ "${own:-0}" -ge "${PGWEAVE_TIMELINE:-0}" ]; then
    echo "timeline $own is not older than $PGWEAVE_TIMELINE: a copy is needed" >&2
    return 1
  fi
  pg_rewind --target-pgdata="$PGDATA" --source-server="$source dbname=${REJOIN_DATABASE:-postgres}" >&2
}

copy() {
  old="$PGDATA.before-$PGWEAVE_EPOCH"
  [ -e "$old" ] || mv "$PGDATA" "$old"
  rm -rf "$PGDATA"
  pg_basebackup --pgdata="$PGDATA" --dbname="$source" --checkpoint=fast --wal-method=stream >&2
  # Kept until the copy is whole.
  rm -rf "$old"
}

stop
rewind || copy
become_standby
pg_ctl -D "$PGDATA" -w -t 60 -l "${REJOIN_LOG:-$PGDATA/rejoin.log}" start >/dev/null
echo "$PGWEAVE_NODE follows $PGWEAVE_PRIMARY"
