"""Every order, as far as messages tell of it, in pages by id."""

from typing import Any

import sqlalchemy as sa

from services.tickets.model import takes_seat
from services.tickets.tables import events, orders, ticket_types, users
from shared.messages.catalogue import EventData, HolderData, TicketData, TicketOrdered

_EVENT = (
    *("name", "starts_at", "ends_at", "timezone", "location", "status", "quota", "organizer_id"),
    *("reminders", "reminder_note"),
)


def read_orders(connection: sa.Connection, after: str, limit: int) -> list[dict[str, Any]]:
    """The next orders: `id`, `version`, `event_id`, `holder_id`, and TicketOrdered as `order`, or None when
    the ticket no longer admits anybody.
    """
    columns = (
        *(orders.c[name] for name in ("id", "version", "code", "status", "event_id", "user_id")),
        ticket_types.c.name.label("ticket_name"),
        sa.func.to_jsonb(sa.literal_column("events")).label("event"),
        sa.func.to_jsonb(sa.literal_column("users")).label("holder"),
    )
    joined = orders.join(ticket_types, ticket_types.c.id == orders.c.ticket_type_id)
    joined = joined.join(events, events.c.id == orders.c.event_id)
    joined = joined.join(users, users.c.id == orders.c.user_id)
    query = sa.select(*columns).select_from(joined).where(orders.c.id > after)
    return [_item(row) for row in connection.execute(query.order_by(orders.c.id).limit(limit))]


def _item(row: sa.Row) -> dict[str, Any]:
    admits = takes_seat(row.status) and not row.holder["deleted"]
    return {
        "id": row.id,
        "version": row.version,
        "event_id": row.event_id,
        "holder_id": row.user_id,
        "order": _order(row).model_dump(mode="json") if admits else None,
    }


def _order(row: sa.Row) -> TicketOrdered:
    facts = {name: row.event[name] for name in _EVENT}
    person = {"name": row.holder["name"] or row.holder["username"], "email": row.holder["email"]}
    return TicketOrdered(
        ticket=TicketData(id=row.id, code=row.code, name=row.ticket_name),
        holder=HolderData(
            id=row.user_id, version=row.holder["sequence"], locale=row.holder["locale"], **person
        ),
        event=EventData.model_validate({**facts, "id": row.event_id, "version": row.event["sequence"]}),
        # Told once more, not ordered once more: nobody gets a confirmation for it.
        notify=False,
    )
