#!/usr/bin/env bash
# The README's two minutes, step by step: start the demo, look up, report, kill a primary, stop.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
demo_pid=
clean_up() {
  [ -z "$demo_pid" ] || kill -TERM "$demo_pid" 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT
fail() {
  echo "demo: $1" >&2
  tail -n 30 "$work/out" "$work/err" >&2
  exit 1
}
port() { node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })"; }
# All processes below one, itself included.
tree() {
  echo "$1"
  local child
  for child in $(cat "/proc/$1"/task/*/children 2>/dev/null); do tree "$child"; done
}

port=$(port)
admin_port=$(port)
node dist/cli/main.js demo --port "$port" --admin-port "$admin_port" >"$work/out" 2>"$work/err" &
demo_pid=$!
for _ in $(seq 600); do
  grep -q '^ready ' "$work/out" && break
  kill -0 "$demo_pid" 2>/dev/null || fail 'ended before it was ready'
  sleep 0.1
done
url=$(sed -n 's/^ready *\([^ ]*\).*/\1/p' "$work/out" | head -1)
[ -n "$url" ] || fail 'not ready after 60 s'

sql() { psql "$url" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --command "$1"; }
expect() {
  local answer
  answer=$(sql "$1") || fail "$1"
  [[ $answer =~ $2 ]] || fail "$1 answered: $answer"
}

expect 'select 1' '^1$'
expect '\d reservation' 'payment'
expect 'select count(*) from reservation' '^200000$'
customer=$(sql 'select cust_id from customer order by cust_id limit 1 offset 1000')
expect "select cust_id from customer where cust_id = '${customer//\'/\'\'}'" "^${customer//[^[:alnum:]]/.}\$"
expect "select date_trunc('month', date) as month, sum(payment) as revenue, count(*)
          from reservation group by 1 order by 1 desc limit 12" '\|[0-9]+\.[0-9][0-9]\|'
expect 'explain select count(*) from reservation' '(a_d|scatter|4 shards|all shards)'
curl --fail --silent "http://127.0.0.1:$admin_port/healthz" >/dev/null || fail 'no health'
curl --fail --silent "http://127.0.0.1:$admin_port/metrics" | grep "^pgweave_" >/dev/null || fail 'no metrics'

console() { psql "${url%/*}/pgweave" --no-psqlrc --csv --command "$1" || fail "$1"; }
# By the names of the columns, as new ones may follow.
primary=$(console 'show nodes' | awk -F, '
  NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
  $column["role"] == "primary" && !found { print $column["pid"]; found = 1 }')
tree "$demo_pid" | grep -x "${primary:-none}" >/dev/null || fail "show nodes says that the primary is '$primary'"
kill -KILL "$primary"
expect 'select count(*) from reservation' '^200000$'
console 'show shards'
echo "killed the primary $primary: all 200000 reservations are still there"

members=$(tree "$demo_pid")
started=$(date +%s%N)
kill -TERM "$demo_pid"
wait "$demo_pid" || fail "exit code $? on SIGTERM"
demo_pid=
took=$((($(date +%s%N) - started) / 1000000))
[ "$took" -lt 5000 ] || fail "took $took ms to stop"
for pid in $members; do
  ! kill -0 "$pid" 2>/dev/null || fail "process $pid is left: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
done
echo "stopped in $took ms, nothing left running"
