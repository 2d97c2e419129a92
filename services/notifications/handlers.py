"""One function for each message and each command."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from services.notifications import planning, projections, store, traces
from services.notifications.errors import UnknownEvent
from services.notifications.schedule import kind_of_run
from shared.inbox import Handler
from shared.messages import Envelope
from shared.messages.catalogue import (
    EventData,
    EventGone,
    TicketGone,
    TicketOrdered,
    TicketPaid,
    UserData,
    UserGone,
)


@dataclass(frozen=True, slots=True)
class MessageHandlers:
    """What happens in the receiver's transaction when a message comes."""

    lead: timedelta
    offset: timedelta

    def table(self) -> dict[str, Handler]:
        """The map from message type to handler."""
        return {
            "user.registered": self.user_changed,
            "user.updated": self.user_changed,
            "user.deleted": self.user_deleted,
            "event.scheduled": self.event_changed,
            "event.updated": self.event_changed,
            "event.cancelled": self.event_changed,
            "event.deleted": self.event_deleted,
            "ticket.ordered": self.ticket_ordered,
            "ticket.updated": self.ticket_ordered,
            "ticket.cancelled": self.ticket_cancelled,
            "ticket.paid": self.ticket_paid,
        }

    def user_changed(self, connection: sa.Connection, data: UserData, envelope: Envelope) -> None:
        projections.apply_holder(connection, data, max(envelope.sequence, data.version))

    def user_deleted(self, connection: sa.Connection, data: UserGone, envelope: Envelope) -> None:
        address = projections.remove_holder(connection, data.id, envelope.sequence)
        store.suppress_holder(connection, data.id, None, "the person was deleted")
        store.forget_holder(connection, data.id, address)

    def event_changed(self, connection: sa.Connection, data: EventData, envelope: Envelope) -> None:
        if envelope.type == "event.cancelled":
            data = data.model_copy(update={"status": "cancelled"})
        if projections.apply_event(connection, data, max(envelope.sequence, data.version)):
            self._follow_event(connection, data.id)

    def event_deleted(self, connection: sa.Connection, data: EventGone, envelope: Envelope) -> None:
        if projections.remove_event(connection, data.id, envelope.sequence):
            self._follow_event(connection, data.id)

    def ticket_ordered(self, connection: sa.Connection, data: TicketOrdered, envelope: Envelope) -> None:
        if projections.apply_event(connection, data.event, data.event.version):
            self._follow_event(connection, data.event.id)
        projections.apply_holder(connection, data.holder, data.holder.version)
        projections.apply_ticket(
            connection,
            ticket_id=data.ticket.id,
            event_id=data.event.id,
            holder_id=data.holder.id,
            code=data.ticket.code,
            active=True,
            version=envelope.sequence,
        )
        self._follow_holder(connection, data.event.id, data.holder.id)
        traces.remember(connection, data.ticket.id)

    def ticket_cancelled(self, connection: sa.Connection, data: TicketGone, envelope: Envelope) -> None:
        projections.apply_ticket(
            connection,
            ticket_id=data.ticket_id,
            event_id=data.event_id,
            holder_id=data.holder_id,
            code="",
            active=False,
            version=envelope.sequence,
        )
        self._follow_holder(connection, data.event_id, data.holder_id)

    def ticket_paid(self, connection: sa.Connection, data: TicketPaid, envelope: Envelope) -> None:
        """A payment changes nothing for reminders: who ordered is reminded, paid or not."""

    def _follow_event(self, connection: sa.Connection, event_id: str) -> None:
        now = store.database_now(connection, self.offset)
        planning.follow_event(connection, event_id, self.lead, now)

    def _follow_holder(self, connection: sa.Connection, event_id: str, holder_id: str) -> None:
        now = store.database_now(connection, self.offset)
        planning.follow_holder(connection, event_id, holder_id, self.lead, now)


def request_run(
    connection: sa.Connection,
    run_id: str,
    event_id: str | None,
    again: bool,
    lead: timedelta,
    offset: timedelta,
) -> None:
    """Asks for a run; raises UnknownEvent or EventOver when it would remind nobody of anything."""
    now = store.database_now(connection, offset)
    if event_id is not None:
        event = projections.find_event(connection, event_id)
        if event is None or event.deleted:
            raise UnknownEvent("There is no such event.")
        kind_of_run(event, lead, now)
    store.add_run(connection, run_id, event_id, again, now)
