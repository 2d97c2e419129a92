"""Ticket types, orders and payments, into the database of tickets."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from infra.importer.errors import LeftOut
from infra.importer.rows import moment, money, order_status, payment_status, target_id, text, whole
from infra.importer.source import Row
from services.accounts import handlers as accounts
from services.accounts import store as users
from services.events import model as events_model
from services.events import store as events
from services.tickets import model, projections
from services.tickets.codes import new_code
from services.tickets.handlers import announcements
from services.tickets.model import Event, Order, Payment, TicketType, User
from services.tickets.store import orders as order_rows
from services.tickets.store import payments as payment_rows
from services.tickets.store import seats
from services.tickets.store import ticket_types as type_rows
from services.tickets.tables import orders, ticket_types
from shared.outbox import publish


class TicketsTarget:
    """Writes one row at a time. What it needs of users and events it asks their owners' databases for, as
    the messages about them may not have come yet.
    """

    def __init__(self, accounts: Engine, events: Engine, zone: str) -> None:
        self._accounts = accounts
        self._events = events
        self._zone = zone

    def write_type(self, connection: Connection, row: Row) -> None:
        """A ticket type of an event that is here."""
        event = self._event(connection, target_id("events", row["event_id"]))
        if event is None:
            raise LeftOut(f"event {row['event_id']} is not here")
        kind = TicketType(
            id=target_id("tickets", row["id"]),
            event_id=event.id,
            name=text(row, "name", 200) or "?",
            price=money(row, "price"),
            sales_start=moment(row.get("sales_start"), self._zone),
            sales_end=moment(row.get("sales_end"), self._zone),
            quota=whole(row, "quota"),
            sold=0,
            archived=False,
        )
        type_rows.add_type(connection, kind)

    def write_order(self, connection: Connection, row: Row) -> None:
        """With its seat, whatever the quota, and `ticket.ordered` that sends no confirmation."""
        kind = _find_type(connection, target_id("tickets", row["ticket_id"]))
        if kind is None:
            raise LeftOut(f"ticket {row['ticket_id']} is not here")
        holder = self._holder(connection, target_id("users", row["user_id"]))
        if holder is None:
            raise LeftOut(f"user {row['user_id']} is not here")
        event = self._event(connection, kind.event_id)
        if event is None:
            raise LeftOut(f"event {kind.event_id} is not here")
        order = self._order(row, kind, holder)
        order_rows.add_orders(connection, [order])
        if model.takes_seat(order.status):
            seats.move_seats(connection, [order], 1)
            message = announcements.ordered(order, kind, event, holder, notify=False)
            publish(connection, announcements.SOURCE, [message])

    def _order(self, row: Row, kind: TicketType, holder: User) -> Order:
        ordered_at = moment(row.get("registered_at"), self._zone) or datetime.now(UTC)
        status = order_status(row)
        return Order(
            id=target_id("registrations", row["id"]),
            version=1,
            ticket_type_id=kind.id,
            event_id=kind.event_id,
            user_id=holder.id,
            status=status,
            code=new_code(),
            ordered_at=ordered_at,
            paid_at=ordered_at if kind.price == 0 else None,
            checked_in_at=ordered_at if status == model.CHECKED_IN else None,
        )

    def write_payment(self, connection: Connection, row: Row) -> None:
        """A completed one makes its order paid, from when it was made; nobody is told of money of old."""
        order = order_rows.find_order(connection, target_id("registrations", row["registration_id"]))
        if order is None:
            raise LeftOut(f"registration {row['registration_id']} is not here")
        payment = Payment(
            id=target_id("payments", row["id"]),
            order_id=order.id,
            event_id=order.event_id,
            user_id=order.user_id,
            method=text(row, "method", 100),
            status=payment_status(row),
            amount=money(row, "amount"),
            created_at=moment(row.get("created_at"), self._zone) or order.ordered_at,
        )
        payment_rows.add_payment(connection, payment)
        if payment.status == model.COMPLETED and order.paid_at is None:
            statement = sa.update(orders).where(orders.c.id == order.id)
            connection.execute(statement.values(paid_at=payment.created_at))

    def _event(self, connection: Connection, event_id: str) -> Event | None:
        """Our copy of an event, made now if it is not there; None for one that is not here or is deleted."""
        if (copy := projections.find_event(connection, event_id)) is None:
            with self._events.connect() as owner:
                event = events.find_event(owner, event_id)
            if event is None:
                return None
            projections.apply_event(connection, events_model.event_data(event), event.version)
            copy = projections.find_event(connection, event_id)
        return None if copy is None or copy.deleted else copy

    def _holder(self, connection: Connection, user_id: str) -> User | None:
        """Our copy of a user, in the same way."""
        if (copy := projections.find_user(connection, user_id)) is None:
            with self._accounts.connect() as owner:
                user = users.find_user(owner, user_id)
            if user is None:
                return None
            projections.apply_user(connection, accounts.user_data(user), user.version)
            copy = projections.find_user(connection, user_id)
        return None if copy is None or copy.deleted else copy


def _find_type(connection: Connection, type_id: str) -> TicketType | None:
    columns = [ticket_types.c[name] for name in TicketType.__dataclass_fields__]
    row = connection.execute(sa.select(*columns).where(ticket_types.c.id == type_id)).one_or_none()
    return TicketType(*row) if row else None
