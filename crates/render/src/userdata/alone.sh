#!/usr/bin/env bash
# alone VARIABLE COMMAND...: runs a command while no other machine does. The lock is one of the database whose URL is in
# the variable, and ends with this session, however it ends.
set -euo pipefail
url=${!1}
shift
coproc LOCK { psql "$url" --no-psqlrc --quiet --tuples-only --no-align; }
printf 'SELECT pg_advisory_lock(<< key >>);\n' >&"${LOCK[1]}"
# The answer comes when the lock is held.
read -r _ <&"${LOCK[0]}"
"$@"
