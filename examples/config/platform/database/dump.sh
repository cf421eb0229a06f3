#!/bin/bash
# A dump of the database into $WORK, which another container ships. One that cannot be
# read again is none.
set -euo pipefail
umask 077
: "${WORK:=/work}"
file=$WORK/$PGDATABASE-$(date -u +%Y%m%dT%H%M%SZ).dump
pg_dump --format=custom --no-password --file="$file.part"
pg_restore --list "$file.part" > /dev/null
mv "$file.part" "$file"
echo "$(basename "$file"): $(stat --format=%s "$file") bytes"
