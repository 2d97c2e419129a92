"""One database and role for each service, on a server whose role may make them."""

from collections.abc import Mapping

import psycopg2
from psycopg2 import sql
from sqlalchemy.engine import URL, make_url

from infra.local.settings import SERVICES


def provision(server_url: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """Makes what is missing; returns service -> database URL. No role can read another's database."""
    server = make_url(server_url)
    connection = psycopg2.connect(
        server.set(drivername="postgresql").render_as_string(hide_password=False), connect_timeout=10
    )
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        for service in SERVICES:
            _provision_one(cursor, f"dicoevent_{service}", passwords[service])
    finally:
        connection.close()
    return {service: _url(server, service, passwords[service]) for service in SERVICES}


def _provision_one(cursor: "psycopg2.extensions.cursor", name: str, password: str) -> None:
    identifier = sql.Identifier(name)
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
    verb = sql.SQL("ALTER" if cursor.fetchone() else "CREATE")
    cursor.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD %s").format(verb, identifier), (password,))
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
    if cursor.fetchone():
        return
    # To make a database for another role one has to be its member (PostgreSQL 16 and newer do not make
    # the creator one).
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    is_superuser = cursor.fetchone()
    if not is_superuser or not is_superuser[0]:
        cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(identifier))
    cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(identifier, identifier))
    cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(identifier))


def _url(server: URL, service: str, password: str) -> str:
    name = f"dicoevent_{service}"
    url = server.set(drivername="postgresql+psycopg2", username=name, password=password, database=name)
    return url.render_as_string(hide_password=False)
