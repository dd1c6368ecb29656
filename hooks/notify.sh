#!/bin/sh
# Notify hook: writes what happened to the system's log; replace it with a call to your pager.
set -eu

: "${PGWEAVE_EVENT:?this is a hook of pgweave}"
exec logger -t pgweave -p daemon.warning "$PGWEAVE_EVENT on shard $PGWEAVE_SHARD, epoch $PGWEAVE_EPOCH: $PGWEAVE_MESSAGE"
