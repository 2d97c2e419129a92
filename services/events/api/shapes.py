"""Bodies in and out. Unknown fields are ignored: clients send back what they read."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from services.events import model
from services.events.model import Changes, Event
from shared.http import Pagination
from shared.http.fields import named, no_boolean, storable
from shared.times import write_time

EXAMPLE_TIME = "2030-12-31 19:00"


Name = Annotated[str, AfterValidator(storable), AfterValidator(named), Field(max_length=200)]
Quota = Annotated[int, BeforeValidator(no_boolean), Field(ge=0, le=2**31 - 1)]
Time = Annotated[str, AfterValidator(storable), Field(max_length=64, examples=[EXAMPLE_TIME])]
# Ids go into the path of a call to accounts.
Id = Annotated[str, Field(max_length=128, pattern="^[A-Za-z0-9_-]*$")]
Word = Annotated[str, AfterValidator(storable), Field(max_length=128)]


class EventChange(BaseModel):
    """Any subset of an event's fields. Null empties a text or the end; for the others it is "as it is".

    Naive times are read in the event's time zone.
    """

    name: Name = ""
    start_time: Time = ""
    quota: Quota = 0
    description: Annotated[str, AfterValidator(storable), Field(max_length=10_000)] | None = None
    location: Annotated[str, AfterValidator(storable), Field(max_length=500)] | None = None
    category: Annotated[str, AfterValidator(storable), Field(max_length=100)] | None = None
    end_time: Time | None = None
    timezone: Word | None = Field(None, examples=["Asia/Jakarta"])
    status: Word | None = Field(None, examples=list(model.STATUSES))
    organizer_id: Id | None = None

    def changes(self) -> Changes:
        """What was really given."""
        given = self.model_dump(exclude_unset=True)
        for name in ("description", "location", "category", "end_time"):
            if name in given:
                given[name] = given[name] or ""
        for name in ("timezone", "status", "organizer_id"):
            given[name] = (given.get(name) or "").strip() or None
        return Changes(**given)


class NewEvent(EventChange):
    """An event to be: a name, a start and a quota, and any other field."""

    name: Name
    start_time: Time
    quota: Quota


class EventBody(BaseModel):
    """An event. Times are RFC 3339 with the offset of its time zone, "" when unknown."""

    id: str
    name: str
    description: str
    location: str
    start_time: str
    end_time: str
    status: str
    quota: int
    category: str
    organizer_id: str
    timezone: str
    warnings: list[str] | None = None

    @classmethod
    def of(cls, event: Event) -> "EventBody":
        """The event as it is answered."""
        return cls(
            id=event.id,
            name=event.name,
            description=event.description,
            location=event.location,
            start_time=write_time(event.starts_at, event.timezone),
            end_time=write_time(event.ends_at, event.timezone),
            status=event.status,
            quota=event.quota,
            category=event.category,
            organizer_id=event.organizer_id,
            timezone=event.timezone,
            warnings=model.warnings(event) or None,
        )


class EventPage(BaseModel):
    """One page of events, newest start first."""

    events: list[EventBody]
    pagination: Pagination
