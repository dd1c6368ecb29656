#!/bin/sh
# Fence hook: makes sure that a lost primary takes no writes, by stopping it through ssh. Exit 0 only
# when it is certain: with fence_required nobody is promoted before that.
#
# From pgweave: PGWEAVE_NODE_HOST, PGWEAVE_NODE_PORT, PGWEAVE_MESSAGE, ...
# From you:     FENCE_COMMAND, run on the node; default: stops the service postgresql at once.
# A machine that cannot be reached may still be running: then this fails, and your own means (the
# hypervisor, a power switch, the cloud's API) must take its place.
set -eu

: "${PGWEAVE_NODE_HOST:?this is a hook of pgweave}"
exec ssh -o BatchMode=yes -o ConnectTimeout=1 "$PGWEAVE_NODE_HOST" \
  "${FENCE_COMMAND:-sudo systemctl kill --signal=SIGKILL postgresql && sudo systemctl stop postgresql}"
