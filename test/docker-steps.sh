#!/usr/bin/env bash
# Performs the Dockerfile's steps in a temporary directory: for machines without a container engine.
# Then starts the result as another user than root and asks for its health as HEALTHCHECK does.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$(mktemp -d)
proxy_pid=
clean_up() {
  [ -z "$proxy_pid" ] || kill -KILL "$proxy_pid" 2>/dev/null || true
  rm -rf "$root"
}
trap clean_up EXIT
chmod 755 "$root"

# copy_step STAGE WORDS...: COPY within the stage, from the checkout or from the build stage.
copy_step() {
  local stage=$1 source_root=$PWD
  shift
  while [[ $1 == --* ]]; do
    [[ $1 != --from=* ]] || source_root=$root/${1#--from=}
    shift
  done
  local target=${*: -1}
  [[ $target == /* ]] || target=/app/$target
  for source in "${@:1:$#-1}"; do
    case $target in
      */) cp -r "$source_root/$source" "$root/$stage$target" ;;
      *) cp -rT "$source_root/$source" "$root/$stage$target" ;;
    esac
  done
}

stage=
while read -r instruction words; do
  case $instruction in
    FROM)
      stage=runtime
      [[ $words != *' AS '* ]] || stage=${words##* AS }
      mkdir -p "$root/$stage/app"
      ;;
    COPY)
      read -ra arguments <<<"$words"
      copy_step "$stage" "${arguments[@]}"
      ;;
    RUN) (cd "$root/$stage/app" && bash -euc "$words") ;;
  esac
done < <(sed -e ':join' -e '/\\$/{N;s/\\\n//;bjoin' -e '}' Dockerfile | grep -v '^#')

echo 'built as the Dockerfile says; starting it'
cd "$root/runtime/app"
port() { node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })"; }
admin_port=$(port)
cat >"$root/pgweave.yaml" <<YAML
database: app
listen: { host: 127.0.0.1, port: $(port) }
admin: { host: 127.0.0.1, port: $admin_port }
shards:
  only: { nodes: ["127.0.0.1:$(port)"] }
home: only
authentication: trust
users:
  app: {}
control: { user: postgres }
YAML

as_other_user=()
if [ "$(id -u)" = 0 ]; then
  chown -R 65534:65534 state
  as_other_user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
fi
state=$(sed -n 's|^ENV PGWEAVE_STATE_DIRECTORY=/app/||p' "$OLDPWD/Dockerfile")
[ -n "$state" ]
NODE_ENV=production PGWEAVE_STATE_DIRECTORY="$PWD/$state" "${as_other_user[@]}" node dist/cli/main.js serve --config "$root/pgweave.yaml" &
proxy_pid=$!

health=$(sed -n 's/^ *CMD \["node", "-e", "\(fetch.*\)"\]$/\1/p' "$OLDPWD/Dockerfile")
[ -n "$health" ]
for _ in $(seq 100); do
  if node -e "${health/9632/$admin_port}" 2>/dev/null; then
    echo 'healthy as a user without rights, with production dependencies only'
    kill -TERM "$proxy_pid"
    wait "$proxy_pid" || true
    proxy_pid=
    exit 0
  fi
  kill -0 "$proxy_pid"
  sleep 0.1
done
echo 'not healthy after 10 s' >&2
exit 1
