"""Events, into the database of events."""

from sqlalchemy import Connection

from infra.importer.errors import LeftOut
from infra.importer.report import Report
from infra.importer.rows import event_status, moment, target_id, text, whole
from infra.importer.source import Row
from services.events import model, store
from services.events.errors import FieldInvalid
from services.events.handlers import SOURCE
from shared.outbox import publish
from shared.times import TimeInvalid


class EventsTarget:
    """Writes one row at a time; `owner` is the id of who gets the events that have no organizer."""

    def __init__(self, report: Report, zone: str, owner: str | None) -> None:
        self._report = report
        self._zone = zone
        self._owner = owner

    def write_event(self, connection: Connection, row: Row) -> None:
        """With `event.scheduled`, unless it is a draft."""
        event_id = target_id("events", row["id"])
        if store.find_event(connection, event_id) is not None:
            raise LeftOut("is here already")
        try:
            event, messages = model.create(event_id, self._wanted(row), self._organizer(row), self._zone)
        except (FieldInvalid, TimeInvalid) as error:
            raise LeftOut(str(error)) from None
        store.add_event(connection, event)
        publish(connection, SOURCE, messages)

    def _wanted(self, row: Row) -> model.Changes:
        starts_at, ends_at = (moment(row.get(name), self._zone) for name in ("start_time", "end_time"))
        if starts_at is None:
            raise LeftOut("start_time: is empty")
        return model.Changes(
            name=text(row, "name", 200) or "?",
            description=text(row, "description", 20_000),
            location=text(row, "location", 500),
            start_time=starts_at.isoformat(),
            end_time=ends_at.isoformat() if ends_at else None,
            timezone=text(row, "timezone", 64) or None,
            status=event_status(row),
            quota=whole(row, "quota"),
            category=text(row, "category", 100),
        )

    def _organizer(self, row: Row) -> str:
        if row.get("organizer_id") is not None:
            return target_id("users", row["organizer_id"])
        if self._owner is None:
            raise LeftOut("has no organizer, and there is no superuser to give it to")
        self._report.note("events", row["id"], "had no organizer: a superuser is it now")
        return self._owner
