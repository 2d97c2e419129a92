"""Many messages in one transaction: orders in a few statements together, everything else one by one.

The effect is that of the handlers called one after the other. What would make the order within a stretch
matter ends it: a ticket, or a newer version of an event or a person, for the second time. An order that
changes a known event or takes a ticket from somebody goes through its handler by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.notifications import mailings, planning, projections, recipients, schedules, store, traces
from services.notifications.handlers import MessageHandlers
from services.notifications.model import EventFacts
from services.notifications.schedule import mail_of_order, nearest_due
from shared import tracing
from shared.inbox import watch
from shared.messages import Envelope
from shared.messages.catalogue import TicketOrdered, TicketPaid

Order = tuple[TicketOrdered, Envelope]


@dataclass(slots=True)
class Stretch:
    """Consecutive orders whose own order does not matter."""

    orders: list[Order] = field(default_factory=list)
    _tickets: set[str] = field(default_factory=set)
    _versions: dict[tuple[str, str], int] = field(default_factory=dict)

    def fits(self, data: TicketOrdered) -> bool:
        """Whether an order says nothing newer about what an earlier one of the stretch spoke of."""
        return data.ticket.id not in self._tickets and all(
            self._versions.get(key, version) >= version for key, version in _versions(data)
        )

    def add(self, data: TicketOrdered, envelope: Envelope) -> None:
        self.orders.append((data, envelope))
        self._tickets.add(data.ticket.id)
        for key, version in _versions(data):
            self._versions.setdefault(key, version)


def _versions(data: TicketOrdered) -> tuple[tuple[tuple[str, str], int], ...]:
    return (
        (("event", data.event.id), data.event.version),
        (("holder", data.holder.id), data.holder.version),
    )


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes what the receiver has at hand, in its transaction."""

    handlers: MessageHandlers

    def take_all(self, connection: sa.Connection, messages: Sequence[tuple[Any, Envelope]]) -> None:
        """Applies messages as if their handlers were called in this order."""
        stretch = Stretch()
        for data, envelope in messages:
            if isinstance(data, TicketPaid):
                continue  # its handler does nothing, so it need not end a stretch
            order = isinstance(data, TicketOrdered)
            if not (order and stretch.fits(data)):
                self._take_stretch(connection, stretch.orders)
                stretch = Stretch()
            if order:
                stretch.add(data, envelope)
            else:
                self._take_one(connection, data, envelope)
        self._take_stretch(connection, stretch.orders)

    def _take_one(self, connection: sa.Connection, data: Any, envelope: Envelope) -> None:
        with watch.applying(envelope):
            self.handlers.table()[envelope.type](connection, data, envelope)

    def _take_stretch(self, connection: sa.Connection, orders: Sequence[Order]) -> None:
        if len(orders) < 2:
            for data, envelope in orders:
                self._take_one(connection, data, envelope)
            return
        known = projections.hold_events(connection, {data.event.id for data, _ in orders})
        held = projections.holdings_of(connection, [data.ticket.id for data, _ in orders])
        smooth: list[Order] = []
        for data, envelope in orders:
            version, here = known.get(data.event.id, data.event.version), (data.event.id, data.holder.id)
            if version < data.event.version or held.get(data.ticket.id, here) != here:
                self._take_smooth(connection, smooth, known)
                smooth = []
                self._take_one(connection, data, envelope)
                known[data.event.id] = max(version, data.event.version)
            else:
                smooth.append((data, envelope))
        self._take_smooth(connection, smooth, known)

    def _take_smooth(self, connection: sa.Connection, orders: Sequence[Order], known: dict[str, int]) -> None:
        if not orders:
            return
        now = self.handlers.now(connection)
        self._learn_events(connection, orders, known, now)
        projections.apply_holders(connection, _first({d.holder.id: d.holder for d, _ in reversed(orders)}))
        rows = [
            (d.ticket.id, d.event.id, d.holder.id, d.ticket.code, d.ticket.name, e.sequence, d.event.version,
             self.handlers.fresh_time(e, now))
            for d, e in orders
        ]  # fmt: skip
        taken = projections.apply_tickets(connection, sorted(rows, key=lambda row: row[0]))
        self._follow(connection, [order for order in orders if order[0].ticket.id in taken])

    def _learn_events(
        self, connection: sa.Connection, orders: Sequence[Order], known: dict[str, int], now: datetime
    ) -> None:
        first = {data.event.id: data.event for data, _ in reversed(orders)}
        new = [first[id_] for id_ in sorted(first.keys() - known.keys())]
        learned = projections.learn_events(connection, new)
        planning.arm_new(connection, learned, self.handlers.rules, now)
        ours = {facts.id for facts in learned}
        for event in new:
            if event.id not in ours:  # another consumer learned of it meanwhile
                change = projections.apply_event(connection, event, event.version, hearsay=True)
                self.handlers.follow(connection, change, now)
            known[event.id] = event.version
        contents = {(d.event.id, d.event.version): d.event for d, _ in reversed(orders)}
        projections.keep_contents(connection, [contents[key] for key in sorted(contents)])

    def _follow(self, connection: sa.Connection, orders: Sequence[Order]) -> None:
        """The mails that follow from orders; confirmations all at once."""
        if not orders:
            return
        ids = sorted({data.event.id for data, _ in orders})
        events = projections.find_events(connection, ids)
        seen = self.handlers.now(connection)
        schedules.hold_undue(connection, ids, seen)
        leads = schedules.leads_armed(connection, ids)
        now = max(seen, self.handlers.now(connection))
        wanted = []
        for data, envelope in orders:
            if tracing.is_on():
                with watch.applying(envelope):
                    traces.remember(connection, data.ticket.id)
            event = events[data.event.id]
            confirm = self.handlers.confirms(data, envelope, now)
            if event.takes_place and nearest_due(event.starts_at, leads.get(event.id, ()), now) is None:
                if mail_of_order(event, (), now, confirm=confirm, reminded=True) is not None:
                    wanted.append((event, data))
            else:
                ticket_id = data.ticket.id if confirm else None
                offset = self.handlers.rules.clock_offset
                planning.follow_order(connection, event, data.holder.id, ticket_id, offset)
        _confirm(connection, wanted, now)


def _confirm(
    connection: sa.Connection, wanted: Sequence[tuple[EventFacts, TicketOrdered]], now: datetime
) -> None:
    done = recipients.confirmed_among(connection, [data.ticket.id for _, data in wanted])
    rows = [
        (data.ticket.id, event.id, event.starts_at, data.holder.id)
        for event, data in wanted
        if data.ticket.id not in done
    ]
    if rows:
        mailings.add_confirmations(connection, rows, now)
        store.notify(connection)


def _first(people: Mapping[str, Any]) -> list[Any]:
    """In the order of their ids: two processes must not wait for each other."""
    return [people[id_] for id_ in sorted(people)]
