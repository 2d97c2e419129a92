"""A database as Django makes it for the old DicoEvent."""

import hashlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

PASSWORD = "old password"
TABLES = """
CREATE TABLE users_user (
    password varchar(128) NOT NULL, last_login timestamptz, is_superuser boolean NOT NULL,
    username varchar(150) NOT NULL, first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL,
    email varchar(254) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL,
    date_joined timestamptz NOT NULL, id uuid PRIMARY KEY);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL);
CREATE TABLE auth_permission (id integer PRIMARY KEY, name varchar(255) NOT NULL);
CREATE TABLE auth_group_permissions (id bigint PRIMARY KEY, group_id integer, permission_id integer);
CREATE TABLE users_user_groups (id bigserial PRIMARY KEY, user_id uuid NOT NULL, group_id integer);
CREATE TABLE events_event (
    id uuid PRIMARY KEY, name varchar(255) NOT NULL, description text NOT NULL, location varchar(255),
    start_time timestamptz NOT NULL, end_time timestamptz NOT NULL, status varchar(20) NOT NULL,
    quota integer NOT NULL, category varchar(100) NOT NULL, organizer_id uuid);
CREATE TABLE events_eventposter (id uuid PRIMARY KEY, event_id uuid NOT NULL, image varchar(100) NOT NULL);
CREATE TABLE tickets_ticket (
    id uuid PRIMARY KEY, event_id uuid NOT NULL, name varchar(255) NOT NULL, price numeric(10, 2) NOT NULL,
    sales_start timestamptz NOT NULL, sales_end timestamptz NOT NULL, quota integer NOT NULL);
CREATE TABLE registrations_registration (
    id uuid PRIMARY KEY, ticket_id uuid NOT NULL, user_id uuid NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE payments_payment (
    id uuid PRIMARY KEY, registration_id uuid NOT NULL, payment_method varchar(50) NOT NULL,
    payment_status varchar(20) NOT NULL, amount_paid numeric(10, 2) NOT NULL);
CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY, session_data text NOT NULL);
"""


def django_hash(password: str = PASSWORD) -> str:
    """As Django's PBKDF2PasswordHasher writes it."""
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), b"seasalt", 1000)
    return f"pbkdf2_sha256$1000$seasalt${b64encode(key).decode()}"


class OldDicoEvent:
    """Fills the tables; each method returns the id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public", TABLES):
            connection.execute(text(statement))

    def _insert(self, table: str, **values: object) -> None:
        names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
        self._connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)

    def user(self, username: str, **changes: object) -> UUID:
        values = {
            "id": uuid4(), "username": username, "email": f"{username}@example.com", "first_name": "",
            "last_name": "", "password": django_hash(), "is_superuser": False, "is_staff": False,
            "is_active": True, "date_joined": datetime(2024, 5, 1, tzinfo=UTC), **changes,
        }  # fmt: skip
        self._insert("users_user", **values)
        return UUID(str(values["id"]))

    def group(self, id_: int, name: str, *members: UUID) -> None:
        self._insert("auth_group", id=id_, name=name)
        for member in members:
            self._insert("users_user_groups", user_id=member, group_id=id_)

    def event(self, organizer: UUID | None, starts_in: timedelta, **changes: object) -> UUID:
        start, id_ = datetime.now(UTC) + starts_in, uuid4()
        values = {
            "id": id_, "name": "Jazz", "description": "Three bands.", "location": "Bandung",
            "start_time": start, "end_time": start + timedelta(hours=2), "status": "scheduled",
            "quota": 100, "category": "music", "organizer_id": organizer, **changes,
        }  # fmt: skip
        self._insert("events_event", **values)
        return id_

    def poster(self, event: UUID) -> UUID:
        id_ = uuid4()
        self._insert("events_eventposter", id=id_, event_id=event, image="posters/jazz.png")
        return id_

    def ticket(self, event: UUID, **changes: object) -> UUID:
        id_, now = uuid4(), datetime.now(UTC)
        values = {
            "id": id_, "event_id": event, "name": "Regular", "price": 150000, "quota": 2,
            "sales_start": now - timedelta(days=9), "sales_end": now, **changes,
        }  # fmt: skip
        self._insert("tickets_ticket", **values)
        return id_

    def registration(self, ticket: UUID, user: UUID) -> UUID:
        id_, made = uuid4(), datetime(2024, 6, 1, tzinfo=UTC)
        self._insert("registrations_registration", id=id_, ticket_id=ticket, user_id=user, created_at=made)
        return id_

    def payment(self, registration: UUID, status: str, amount: int = 150000) -> UUID:
        id_ = uuid4()
        self._insert(
            "payments_payment", id=id_, registration_id=registration, payment_method="transfer",
            payment_status=status, amount_paid=amount,
        )  # fmt: skip
        return id_
