"""Bodies in and out. Unknown fields are ignored: clients send back what they read."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.events import model
from services.events.model import Changes, Event
from shared.http import Pagination
from shared.http.fields import Line, Name, Prose, Shown, no_boolean, one_line
from shared.times import write_time

EXAMPLE_TIME = "2030-12-31 19:00"
# What the document says of times and states; shared.times and model read them, and say what is wrong.
_DATE = (
    "((197[1-9]|19[89][0-9]|[2-8][0-9]{3})-"
    "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    "|(19(7[26]|8[048]|9[26])|[2-8][0-9](0[48]|[2468][048]|[13579][26]))-02-29)"
)
TIME_PATTERN = (
    f"{_DATE}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{{1,6}})?)?"
    "(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?"
)
DAY_OR_TIME_PATTERN = f"({_DATE}|{TIME_PATTERN})"
STATUS_PATTERN = (
    "(" + "|".join("".join(f"[{c.upper()}{c}]" for c in status) for status in model.STATUSES) + ")"
)
EXAMPLE: dict[str, Any] = {
    "id": "0192f0c1-8c2b-7aa1-b0f4-6d7e8f901234",
    "name": "Malam Jazz di Kota Tua",
    "description": "Three bands, one night.",
    "location": "Taman Fatahillah, Jakarta",
    "start_time": "2030-12-31T19:00:00+07:00",
    "end_time": "2030-12-31T23:00:00+07:00",
    "status": "scheduled",
    "quota": 200,
    "category": "music",
    "organizer_id": "0192f0c1-6a09-7dd4-8c6f-2e0c193a4b5d",
    "timezone": "Asia/Jakarta",
    "reminders": [120],
    "reminder_note": "Doors open an hour before.",
}
MOST_REMINDERS, LONGEST_LEAD = 10, 60 * 24 * 30


def _absent(value: object) -> bool:
    return value is None


Title = Annotated[Name, Field(max_length=200, examples=["Malam Jazz"])]
Quota = Annotated[int, Field(ge=0, le=2**31 - 1, examples=[200]), BeforeValidator(no_boolean)]
_TIMES = Field(max_length=64, examples=[EXAMPLE_TIME, "2030-12-31T19:00:00+07:00"])
Start = Annotated[str, AfterValidator(one_line), Shown({"pattern": f"^{TIME_PATTERN}$"}), _TIMES]
End = Annotated[str, AfterValidator(one_line), Shown({"pattern": f"^({TIME_PATTERN})?$"}), _TIMES]
Status = Annotated[
    str, AfterValidator(one_line), Shown({"pattern": f"^{STATUS_PATTERN}?$"}), Field(max_length=20)
]
# Ids go into the path of a call to accounts.
Id = Annotated[str, Field(max_length=128, pattern="^[A-Za-z0-9_-]*$")]
Word = Annotated[Line, Field(max_length=128)]
Lead = Annotated[int, Field(ge=1, le=LONGEST_LEAD), BeforeValidator(no_boolean)]


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class EventChange(BaseModel):
    """Any subset of an event's fields. Null empties a text or the end and gives `reminders` their default
    again; for the others it is "as it is". Naive times are read in the event's time zone.

    `reminders` are lead times in minutes; an empty list is no reminder at all. `reminder_note` are the
    organizer's own words to holders, plain text.
    """

    # A default stands for "not given"; by its own field's rules it would be wrong, so the document has none.
    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: Title = ""
    start_time: Start = ""
    quota: Quota = 0
    description: Annotated[Prose, Field(max_length=10_000)] | None = None
    location: Annotated[Line, Field(max_length=500)] | None = None
    category: Annotated[Line, Field(max_length=100)] | None = None
    end_time: End | None = None
    timezone: Word | None = Field(None, examples=["Asia/Jakarta"])
    status: Status | None = Field(None, examples=list(model.STATUSES))
    organizer_id: Id | None = None
    reminders: Annotated[list[Lead], Field(max_length=MOST_REMINDERS, examples=[[1440, 120]])] | None = None
    reminder_note: Annotated[Prose, Field(max_length=2000)] | None = None

    def changes(self) -> Changes:
        """What was really given."""
        given = self.model_dump(exclude_unset=True)
        if "reminders" in given:
            given["default_reminders"] = given["reminders"] is None
            given["reminders"] = _furthest_first(given["reminders"])
        for name in ("description", "location", "category", "end_time", "reminder_note"):
            if name in given:
                given[name] = given[name] or ""
        for name in ("timezone", "status", "organizer_id"):
            given[name] = (given.get(name) or "").strip() or None
        return Changes(**given)


def _furthest_first(leads: list[int] | None) -> tuple[int, ...] | None:
    return None if leads is None else tuple(sorted(set(leads), reverse=True))


class NewEvent(EventChange):
    """An event to be: a name, a start and a quota, and any other field."""

    name: Title
    start_time: Start
    quota: Quota


class EventBody(BaseModel):
    """An event. Times are RFC 3339 with the offset of its time zone, "" when unknown.

    `reminders` are lead times in minutes, furthest first. `warnings` say what was accepted though it looks
    wrong; without any the key is absent.
    """

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

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
    reminders: list[int]
    reminder_note: str
    warnings: list[str] | None = Field(None, exclude_if=_absent)

    @classmethod
    def of(cls, event: Event, default_lead: int) -> "EventBody":
        """The event as it is answered, with the installation's lead time where it has none of its own."""
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
            reminders=[default_lead] if event.reminders is None else list(event.reminders),
            reminder_note=event.reminder_note,
            warnings=model.warnings(event) or None,
        )


class EventPage(BaseModel):
    """One page of events, newest start first."""

    events: list[EventBody]
    pagination: Pagination

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "events": [EXAMPLE],
                "pagination": {"page": 1, "page_size": 20, "pages": 1, "total": 1},
            }
        }
    )


class PosterBody(BaseModel):
    """A poster that was taken: its id and its file name."""

    id: str = Field(examples=["0192f0c4-1a2b-7c3d-8e4f-5a6b7c8d9e0f"])
    image: str = Field(examples=["3f0c9a4be1d24c0f8a7b6c5d4e3f2a1b.png"])


class PosterLink(PosterBody):
    """A poster and the path it is served at."""

    url: str = Field(examples=["/api/events/posters/3f0c9a4be1d24c0f8a7b6c5d4e3f2a1b.png/"])
