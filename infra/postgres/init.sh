#!/bin/sh
# Run by the image at the first start of an empty data folder: one database and one role for each service, and no
# role may enter another's database. The passwords come from the secrets' volume.
set -eu

provide() {
    name=$1 password=$2
    psql --quiet -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
        -v name="$name" -v password="$password" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

provide dicoevent_accounts "$ACCOUNTS_DATABASE_PASSWORD"
provide dicoevent_events "$EVENTS_DATABASE_PASSWORD"
provide dicoevent_tickets "$TICKETS_DATABASE_PASSWORD"
provide dicoevent_notifications "$NOTIFICATIONS_DATABASE_PASSWORD"
