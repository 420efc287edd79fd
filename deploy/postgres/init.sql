CREATE ROLE hbagent LOGIN CREATEDB PASSWORD 'hbagent'
ALTER ROLE postgres PASSWORD 'postgres'
CREATE DATABASE heartbeat_db OWNER hbagent
