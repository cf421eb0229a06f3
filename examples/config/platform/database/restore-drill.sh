#!/bin/bash
# Restores the newest dump in $WORK into a PostgreSQL of its own, counts what came back
# and says how long it took. It fails where nothing came back.
set -euo pipefail
: "${WORK:=/work}"
shopt -s nullglob
dumps=("$WORK"/*.dump)
[ ${#dumps[@]} -gt 0 ] || { echo "there is no dump" >&2; exit 1; }
dump=${dumps[-1]} # the names are times
export PGDATA=$WORK/drill PGHOST=$WORK PGUSER=drill PGDATABASE=drill
unset PGPASSWORD
SECONDS=0
initdb --username=drill --auth=trust --no-sync > /dev/null
pg_ctl --wait --silent --log="$WORK/drill.log" --options="-c listen_addresses='' -c unix_socket_directories='$WORK' -c fsync=off" start
trap 'pg_ctl --mode=immediate --silent stop' EXIT
createdb drill
pg_restore --no-owner --no-privileges --exit-on-error --dbname=drill "$dump"
tables=$(psql --no-psqlrc --tuples-only --no-align --command="SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
[ "$tables" -gt 0 ] || { echo "$(basename "$dump") has no table" >&2; exit 1; }
echo "$(basename "$dump"): $tables tables in $SECONDS s"
