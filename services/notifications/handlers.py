"""One function for each message and each command."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.notifications import planning, projections, recipients, store, suppression, traces
from services.notifications.errors import UnknownEvent
from services.notifications.projections import Change
from services.notifications.schedule import ORDER_IS_HISTORY, kind_of_run, leads_of
from services.notifications.settings import ReminderSettings
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

# A publisher's time tells what came first only while it is fresh: an injected message may say anything.
_FRESH = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class MessageHandlers:
    """What happens in the receiver's transaction when a message comes."""

    rules: ReminderSettings

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
        if projections.apply_holder(connection, data, max(envelope.sequence, data.version)):
            recipients.claim_anew(connection, data.id)
            suppression.revive_address(connection, data.email, self.now(connection))

    def user_deleted(self, connection: sa.Connection, data: UserGone, envelope: Envelope) -> None:
        now = self.now(connection)
        address = projections.remove_holder(connection, data.id, envelope.sequence)
        recipients.withdraw_holder(connection, data.id, None, recipients.PERSON_GONE, now)
        recipients.forget(connection, data.id, address)
        suppression.forget(connection, data.id, address)

    def event_changed(self, connection: sa.Connection, data: EventData, envelope: Envelope) -> None:
        if envelope.type == "event.cancelled":
            data = data.model_copy(update={"status": "cancelled"})
        now, version = self.now(connection), max(envelope.sequence, data.version)
        changed_at = self.fresh_time(envelope, now)
        self.follow(connection, projections.apply_event(connection, data, version, changed_at), now)

    def event_deleted(self, connection: sa.Connection, data: EventGone, envelope: Envelope) -> None:
        now = self.now(connection)
        changed_at = self.fresh_time(envelope, now)
        self.follow(
            connection, projections.remove_event(connection, data.id, envelope.sequence, changed_at), now
        )

    def ticket_ordered(self, connection: sa.Connection, data: TicketOrdered, envelope: Envelope) -> None:
        now = self.now(connection)
        change = projections.apply_event(connection, data.event, data.event.version, hearsay=True)
        self.follow(connection, change, now)
        projections.apply_holder(connection, data.holder, data.holder.version)
        before = projections.holding_of(connection, data.ticket.id)
        taken = projections.apply_ticket(
            connection,
            ticket_id=data.ticket.id,
            event_id=data.event.id,
            holder_id=data.holder.id,
            code=data.ticket.code,
            name=data.ticket.name,
            active=True,
            version=envelope.sequence,
            known_version=data.event.version,
            at=self.fresh_time(envelope, now),
        )
        if taken:
            confirm = self.confirms(data, envelope, now)
            if before is not None and before != (data.event.id, data.holder.id):
                # What waits to confirm the order goes over with it.
                confirm |= recipients.waits_to_confirm(connection, data.ticket.id)
                recipients.withdraw_ticket(connection, data.ticket.id, now)
                self._lost(connection, *before, now)
            self._follow_order(connection, data, confirm)
            traces.remember(connection, data.ticket.id)

    def ticket_cancelled(self, connection: sa.Connection, data: TicketGone, envelope: Envelope) -> None:
        now = self.now(connection)
        taken = projections.apply_ticket(
            connection,
            ticket_id=data.ticket_id,
            event_id=data.event_id,
            holder_id=data.holder_id,
            code="",
            name="",
            active=False,
            version=envelope.sequence,
            at=now,
        )
        if taken:
            recipients.withdraw_ticket(connection, data.ticket_id, now)
            self._lost(connection, data.event_id, data.holder_id, now)

    def ticket_paid(self, connection: sa.Connection, data: TicketPaid, envelope: Envelope) -> None:
        """A payment changes nothing for reminders: who ordered is reminded, paid or not."""

    def follow(self, connection: sa.Connection, change: Change | None, now: datetime) -> None:
        """Brings everything in line with an event that changed."""
        if change is not None:
            planning.follow_event(connection, change, self.rules, now)

    def _lost(self, connection: sa.Connection, event_id: str, holder_id: str, now: datetime) -> None:
        if projections.holds_ticket(connection, event_id, holder_id):
            recipients.claim_anew(connection, holder_id, event_id)
        else:
            recipients.withdraw_holder(connection, holder_id, event_id, recipients.TICKET_GONE, now)

    def _follow_order(self, connection: sa.Connection, data: TicketOrdered, confirm: bool) -> None:
        event = projections.find_event(connection, data.event.id)
        if event is not None:
            ticket_id = data.ticket.id if confirm else None
            planning.follow_order(connection, event, data.holder.id, ticket_id, self.rules.clock_offset)

    def confirms(self, data: TicketOrdered, envelope: Envelope, now: datetime) -> bool:
        """Whether an order is confirmed by mail; one that a rebuilt feed brings up again is not."""
        if envelope.type != "ticket.ordered" or not (self.rules.confirm_orders and data.notify):
            return False
        if envelope.feedposition is None or envelope.time is None:
            return True
        return now - self.rules.clock_offset - envelope.time <= ORDER_IS_HISTORY

    def fresh_time(self, envelope: Envelope, now: datetime) -> datetime | None:
        """When something happened by its publisher's clock; None where that cannot be believed."""
        if envelope.time is None or abs(now - self.rules.clock_offset - envelope.time) > _FRESH:
            return None
        return envelope.time

    def now(self, connection: sa.Connection) -> datetime:
        """The time of the service."""
        return store.database_now(connection, self.rules.clock_offset)


def request_run(
    connection: sa.Connection,
    run_id: str,
    event_id: str | None,
    again: bool,
    rules: ReminderSettings,
) -> None:
    """Asks for a run; raises UnknownEvent or EventOver when it would remind nobody of anything."""
    now = store.database_now(connection, rules.clock_offset)
    if event_id is not None:
        event = projections.find_event(connection, event_id)
        if event is None or event.deleted:
            raise UnknownEvent("There is no such event.")
        kind_of_run(event, leads_of(event, rules.lead), now)
    store.add_run(connection, run_id, event_id, again, now)
