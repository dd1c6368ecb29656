#!/usr/bin/env bash
# Fails when a dependency has a known vulnerability. Where no registry can be asked it says so and passes;
# with --required it fails then, too.
set -euo pipefail
cd "$(dirname "$0")/.."
required=${1:-}

for directory in . test/clients; do
  report=$(npm audit --json --prefix "$directory" 2>/dev/null || true)
  verdict=$(node -e '
    const report = (() => { try { return JSON.parse(process.argv[1]); } catch { return {}; } })();
    const found = Object.values(report.vulnerabilities ?? {});
    if (report.metadata === undefined) console.log("unknown");
    else if (found.length === 0) console.log("clean");
    else console.log(found.map(({ name, severity, range }) => `${name} ${range}: ${severity}`).join("\n"));
  ' "$report")
  case $verdict in
    clean) echo "$directory: no known vulnerabilities" ;;
    unknown)
      echo "$directory: not checked, no registry answers"
      [ "$required" != --required ] || exit 1
      ;;
    *)
      echo "$directory:"
      echo "$verdict"
      exit 1
      ;;
  esac
done
