"""Users, groups and who is in them, into the database of accounts."""

import sqlalchemy as sa
from sqlalchemy import Connection

from infra.importer.errors import LeftOut
from infra.importer.report import Report
from infra.importer.rows import moment, note_of, target_id, text, user_of
from infra.importer.source import Row
from services.accounts import handlers, store
from services.accounts.errors import FieldInvalid
from services.accounts.model import name_key
from services.accounts.tables import groups, users


class AccountsTarget:
    """Writes one row at a time; `zone` is where times without one are read."""

    def __init__(self, report: Report, zone: str) -> None:
        self._report = report
        self._zone = zone

    def write_user(self, connection: Connection, row: Row) -> None:
        """With `user.registered`."""
        user = user_of(row)
        try:
            handlers.add_user(connection, user)
        except FieldInvalid as error:
            raise LeftOut(f"{error} (by another user)") from None
        if joined := moment(row.get("date_joined"), self._zone):
            connection.execute(sa.update(users).where(users.c.id == user.id).values(created_at=joined))
        if note := note_of(row):
            self._report.note("users", row["id"], note)

    def write_group(self, connection: Connection, row: Row) -> None:
        """With its old id, unless that is another group's here; a name that is here is that group."""
        name = text(row, "name", 150)
        here = self._find_group(connection, name)
        if here is not None:
            if here != row["id"]:
                self._report.note("groups", row["id"], f"{name!r} is here already, with the id {here}")
            return
        values = {"name": name, "name_key": name_key("name", name)}
        if isinstance(row["id"], int) and store.find_group(connection, row["id"]) is None:
            connection.execute(sa.insert(groups).values(id=row["id"], **values))
            self._count_on(connection)
            return
        made = connection.execute(sa.insert(groups).values(values).returning(groups.c.id)).scalar_one()
        self._report.note("groups", row["id"], f"{name!r} has the id {made}, as its own is taken here")

    def write_membership(self, connection: Connection, row: Row, names: dict[object, str]) -> None:
        """`names` are the old groups by their old ids."""
        user_id, name = target_id("users", row["user_id"]), names.get(row["group_id"])
        if not store.user_exists(connection, user_id):
            raise LeftOut(f"user {row['user_id']} is not here")
        group_id = None if name is None else self._find_group(connection, name)
        if group_id is None:
            raise LeftOut(f"group {row['group_id']} is not here")
        store.add_member(connection, user_id, group_id)

    def _find_group(self, connection: Connection, name: str) -> int | None:
        key = name_key("name", name.strip())
        return connection.scalar(sa.select(groups.c.id).where(groups.c.name_key == key))

    def _count_on(self, connection: Connection) -> None:
        # An id that is given does not move the sequence: the next group would get one that is taken.
        connection.execute(
            sa.text(
                "SELECT setval(pg_get_serial_sequence('groups', 'id'),"
                " GREATEST((SELECT max(id) FROM groups), nextval(pg_get_serial_sequence('groups', 'id'))))"
            )
        )
