#!/bin/sh
# Grafana's login: a reader of figures, who sees no customer (warehouse/roles.py gives the group its rights).
# Made when the volume is new; later, run the same by hand. Without WHARF_READER_PASSWORD there is none.
if [ -n "${WHARF_READER_PASSWORD:-}" ]; then
  psql --username "$POSTGRES_USER" --dbname postgres -v ON_ERROR_STOP=1 -v word="$WHARF_READER_PASSWORD" <<'SQL'
CREATE ROLE wharf_reader NOLOGIN;
CREATE ROLE grafana LOGIN PASSWORD :'word' IN ROLE wharf_reader CONNECTION LIMIT 10;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '60s';
SQL
fi
