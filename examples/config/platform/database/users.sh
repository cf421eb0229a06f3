#!/bin/bash
# Users of their own in the cluster's PostgreSQL: for each file of $USERS, a role of its
# name with the password in it, which owns the schema of its name and sees no other. A
# role `dump` reads everything and writes nothing. Running it again changes what has
# changed; the owner's credentials stay here.
set -euo pipefail
: "${USERS:=/users}"
export PGOPTIONS="--client-min-messages=warning"
# Nobody may do anything that is not said below.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 <<'SQL'
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;
SQL
for file in "$USERS"/*; do
  user=$(basename "$file")
  [[ $user =~ ^[a-z][a-z0-9_]{0,62}$ ]] || { echo "no name of a user: $user" >&2; exit 1; }
  # psql reads the password itself: it never is an argument of a process.
  psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=user="$user" --set=file="$file" <<'SQL'
\set password `cat :'file'`
SELECT format('CREATE ROLE %I LOGIN', :'user') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec
ALTER ROLE :"user" PASSWORD :'password';
GRANT :"user" TO CURRENT_USER;
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'user') \gexec
SELECT CASE :'user' WHEN 'dump' THEN 'GRANT pg_read_all_data TO dump'
  ELSE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', :'user', :'user') END \gexec
SQL
  echo "user $user"
done
