#!/usr/bin/env bash
# Makes the role hbagent, which owns the database. Run once, by the image of PostgreSQL, when the volume is new; the
# role of Grafana follows from deploy/grafana/role.sql.
set -eu

# \getenv: on a command line others could read the password.
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv password HBAGENT_DB_PASSWORD
CREATE ROLE hbagent LOGIN PASSWORD :'password';
SELECT format('ALTER DATABASE %I OWNER TO hbagent', current_database()) \gexec
-- Only the roles that are named may enter.
SELECT format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SQL
