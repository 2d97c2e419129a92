"""What a projection says against what its owner says: the comparison, and the one row put right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.notifications.tables import event_contents, events, holders, tickets
from shared.messages import Envelope, new_id
from shared.messages.catalogue import EventData

_TOLD = ("name", "location", "timezone", "starts_at", "ends_at", "note", "status")
TABLES = {"users": holders, "events": events, "tickets": tickets}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of an owner: its version, what our row of it must say, and the message that says so."""

    id: str
    version: int
    values: dict[str, Any]
    envelope: Envelope


def read_item(kind: str, told: dict[str, Any]) -> Item:
    """An item of a page of an owner's snapshot."""
    return {"users": _user, "events": _event, "tickets": _ticket}[kind](told)


def _user(told: dict[str, Any]) -> Item:
    values = {**{name: told[name] for name in ("name", "email", "locale")}, "deleted": False}
    return _item("user.updated", told, values, told)


def _event(told: dict[str, Any]) -> Item:
    data = EventData.model_validate(told)
    names = ("name", "location", "timezone", "starts_at", "ends_at", "status", "organizer_id", "reminders")
    values = {n: getattr(data, n) for n in names} | {"note": data.reminder_note}
    return _item("event.updated", told, {**values, "deleted": False, "hearsay": False}, told)


def _ticket(told: dict[str, Any]) -> Item:
    place = {"event_id": told["event_id"], "holder_id": told["holder_id"]}
    order = told["order"]
    if order is None:
        gone = {"ticket_id": told["id"], **place}
        return _item("ticket.cancelled", told, {**place, "active": False}, gone)
    ticket = {name: order["ticket"][name] for name in ("code", "name")}
    return _item("ticket.updated", told, {**place, **ticket, "active": True}, order)


def _item(message_type: str, told: dict[str, Any], values: dict[str, Any], data: dict[str, Any]) -> Item:
    version = told["version"]
    envelope = Envelope(
        specversion="1.0", id=new_id(), type=message_type, source="/rebuild", data=data, sequence=version
    )
    return Item(told["id"], version, values, envelope)


def lock_rows(connection: sa.Connection, kind: str, ids: Sequence[str]) -> dict[str, sa.Row]:
    """Our rows of these things, held until the commit, always in the same order."""
    table = TABLES[kind]
    query = sa.select(table).where(table.c.id.in_(ids)).order_by(table.c.id).with_for_update()
    return {row.id: row for row in connection.execute(query)}


def agrees(kind: str, row: sa.Row | None, item: Item) -> bool:
    """Whether our row says what its owner says. Of a person who was deleted nothing comes back."""
    if row is None:
        return False
    if kind == "users" and row.deleted:
        return True
    same = all(row._mapping[name] == value for name, value in item.values.items())
    return same and row.sequence == item.version


def is_gone(kind: str, row: sa.Row) -> bool:
    """Whether our row already says that the thing is no more."""
    return not row.active if kind == "tickets" else bool(row.deleted)


def put_right(connection: sa.Connection, kind: str, row: sa.Row | None, item: Item) -> None:
    """Makes the handler of the item's message see a newer version; an event is put right beforehand, so
    that its handler sees no move of which people would have to be told.
    """
    if kind == "events":
        here = event_contents.c
        told_before = (here.event_id == item.id) & (here.version == item.version)
        told = {name: item.values[name] for name in _TOLD}
        connection.execute(sa.update(event_contents).where(told_before).values(told))
    if row is None:
        return
    table = TABLES[kind]
    values = item.values if kind == "events" else {}
    connection.execute(sa.update(table).where(table.c.id == item.id).values(sequence=-1, **values))


def keep_history(connection: sa.Connection, kind: str, row: sa.Row | None, item: Item) -> None:
    """What the holder of a ticket knew when he ordered is not the owner's to say: it stays as it was here, so
    that a notice of a later change still finds him.
    """
    if kind != "tickets" or row is None or row.holder_id != item.values["holder_id"]:
        return
    known = {name: getattr(row, name) for name in ("known_version", "ordered_at")}
    connection.execute(sa.update(tickets).where(tickets.c.id == item.id).values(known))


def forget_version(connection: sa.Connection, kind: str, id_: str) -> None:
    """Makes any message about this thing newer than our row."""
    table = TABLES[kind]
    connection.execute(sa.update(table).where(table.c.id == id_).values(sequence=-1))
