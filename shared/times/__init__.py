"""Times as callers write them. Pure."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class TimeInvalid(Exception):
    """A text in a field is no time, or no time zone."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)? ?(Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# A day short of what a datetime can hold, so that every time zone can show it.
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)


def read_time(field: str, text: str, zone: str) -> datetime:
    """The instant, in UTC, of `YYYY-MM-DD HH:MM[:SS]` in `zone` or of an RFC 3339 time; raises TimeInvalid.

    A local time that comes twice (clocks set back) is the first of the two; one that never comes (clocks
    set forward) is read with the offset before the jump: PEP 495, fold=0.
    """
    text = text.strip().upper()
    if not _TIME.fullmatch(text):
        raise TimeInvalid(field, "is not a time like 2030-12-31 19:00 or 2030-12-31T19:00:00+07:00")
    try:
        moment = datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-").replace(" Z", "Z"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise TimeInvalid(field, "is not a time that exists") from None
    if not _EARLIEST <= moment < _LATEST:
        raise TimeInvalid(field, "is not between the years 1970 and 9999")
    return moment


def read_bound(field: str, text: str, zone: str, whole_day: bool = False) -> datetime:
    """A time as in read_time, or a day: its first instant, with `whole_day` its last microsecond."""
    if not _DAY.fullmatch(text.strip()):
        return read_time(field, text, zone)
    midnight = read_time(field, f"{text.strip()} 00:00", zone)
    if not whole_day:
        return midnight
    next_day = date.fromisoformat(text.strip()) + timedelta(days=1)
    return datetime.combine(next_day, time(), ZoneInfo(zone)).astimezone(UTC) - timedelta(microseconds=1)


def read_zone(field: str, name: str) -> str:
    """The name of an IANA time zone; raises TimeInvalid."""
    try:
        return ZoneInfo(name.strip()).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise TimeInvalid(field, "is not an IANA time zone like Asia/Jakarta") from None


def write_time(moment: datetime | None, zone: str) -> str:
    """RFC 3339 with the zone's offset; "" for None."""
    return "" if moment is None else moment.astimezone(ZoneInfo(zone)).isoformat()
