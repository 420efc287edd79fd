-- The role with which Grafana reads, and nothing else. Run it as a superuser in the database of the readings, before or
-- after the sink has made its tables, and as often as you like:
--
--   GRAFANA_DB_PASSWORD=... psql -v ON_ERROR_STOP=1 -d heartbeat_db -f deploy/grafana/role.sql
--
-- Variables (-v NAME=VALUE): owner, the role of the sink (default hbagent); schema, where its tables are (public).
\set ON_ERROR_STOP 1
\if :{?owner}
\else
  \set owner hbagent
\endif
\if :{?schema}
\else
  \set schema public
\endif

-- psql's \getenv is newer than PostgreSQL 14.
\set password `printf '%s' "${GRAFANA_DB_PASSWORD-}"`
SELECT :'password' <> '' AS has_password \gset
\if :has_password
\else
  \warn 'role.sql: GRAFANA_DB_PASSWORD is not set: it is to be the password of the role grafana'
  DO $$ BEGIN RAISE EXCEPTION 'no password for the role grafana'; END $$;
\endif

BEGIN;
SELECT 'CREATE ROLE grafana' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'grafana') \gexec
-- One client that asks too much must not hold up the writers: it is cut off, and the panel says so.
ALTER ROLE grafana WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '10s';
ALTER ROLE grafana SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE grafana SET search_path = :"schema";

SELECT format('GRANT CONNECT ON DATABASE %I TO grafana', current_database()) \gexec
SELECT format('GRANT USAGE ON SCHEMA %I TO grafana', :'schema')
  WHERE EXISTS (SELECT FROM pg_namespace WHERE nspname = :'schema') \gexec

-- TEMPORARY is everybody's by default, and temporary tables fill the disk. Taken away only in a database
-- of the sink's own: in another one somebody else may use them. The owner keeps it.
SELECT format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', datname) FROM pg_database
  WHERE datname = current_database() AND pg_get_userbyid(datdba) = :'owner' \gexec
SELECT format('REVOKE TEMPORARY ON DATABASE %I FROM grafana', current_database()) \gexec
SELECT has_database_privilege('grafana', current_database(), 'TEMPORARY') AS has_temporary \gset
\if :has_temporary
  \warn 'role.sql: the role grafana may make temporary tables: the database is not the sink''s own. To end that for all:'
  \warn '          REVOKE TEMPORARY ON DATABASE ... FROM PUBLIC'
\endif

-- Tables that the sink makes later: without this the dashboards would stay empty until somebody runs this file again.
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO grafana', :'owner', :'schema')
  WHERE EXISTS (SELECT FROM pg_namespace WHERE nspname = :'schema') \gexec
-- And those that are there. Partitions are read through heartbeats, whose grant is the one that counts.
SELECT format('GRANT SELECT ON %I.%I TO grafana', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = :'schema'
    AND c.relname IN ('heartbeats', 'heartrate_data', 'heartbeat_alerts', 'heartbeat_unflushed',
                      'heartbeat_schema') \gexec
COMMIT;
