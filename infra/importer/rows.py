"""What an old row is here. Pure; raises LeftOut with the reason for what it cannot be."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from infra.importer.errors import LeftOut
from infra.importer.source import Row
from services.accounts import passwords
from services.accounts.api.shapes import UserChange
from services.accounts.model import User
from services.tickets import model as tickets
from shared.http.fields import prose
from shared.messages.envelope import describe

# For ids that are no UUIDs: the same old id always becomes the same new one.
_NAMESPACE = UUID("6f0d3b52-52a7-4f2e-9a3c-d1c0e7e27a11")
_EVENT_STATUSES = {
    "draft": "draft", "scheduled": "scheduled", "upcoming": "scheduled", "published": "scheduled",
    "active": "scheduled", "ongoing": "ongoing", "completed": "completed", "finished": "completed",
    "done": "completed", "cancelled": "cancelled", "canceled": "cancelled",
}  # fmt: skip
_ORDER_STATUSES = {
    "cancelled": tickets.CANCELLED, "canceled": tickets.CANCELLED, "expired": tickets.EXPIRED,
    "attended": tickets.CHECKED_IN, "checked_in": tickets.CHECKED_IN,
}  # fmt: skip
_PAYMENT_STATUSES = {
    "completed": tickets.COMPLETED, "paid": tickets.COMPLETED, "success": tickets.COMPLETED,
    "failed": tickets.FAILED, "refunded": tickets.REFUNDED, "pending": tickets.PENDING, "": tickets.PENDING,
}  # fmt: skip
_MOST = 2**31 - 1


def target_id(kind: str, old: object) -> str:
    """The id here: the old one if it is a UUID, else one made from it, always the same."""
    try:
        return str(UUID(str(old)))
    except ValueError:
        return str(uuid5(_NAMESPACE, f"{kind}/{old}"))


def user_of(row: Row) -> User:
    """The user, with Django's own password hash if it can be checked, and else with none."""
    given = {name: row.get(name) or "" for name in ("username", "email", "first_name", "last_name")}
    if not given["email"]:
        raise LeftOut("has no e-mail address")
    try:
        fields = UserChange.model_validate(given).fields()
    except ValidationError as error:
        raise LeftOut(describe(error)) from None
    active = row.get("is_active", True)
    usable = active and passwords.is_known(row["password"] or "")
    return User(
        id=target_id("users", row["id"]),
        version=1,
        **fields,
        password_hash=row["password"] if usable else passwords.UNUSABLE,
        locale="en",
        is_superuser=bool(active and row.get("is_superuser")),
    )


def note_of(row: Row) -> str | None:
    """What is different about a user, None if nothing is."""
    if not row.get("is_active", True):
        return "was inactive: has no password and no superuser's right until an admin gives one"
    kind = (row["password"] or "").partition("$")[0]
    if not passwords.is_known(row["password"] or ""):
        return f"password hash {kind[:20] or 'none'!r} cannot be checked here: an admin must give a new one"
    return None


def moment(value: Any, zone: str) -> datetime | None:
    """A time of the old database as an instant; one without a zone is read in `zone`."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        try:
            value = datetime.fromisoformat(str(value))
        except ValueError:
            raise LeftOut(f"{str(value)[:40]!r} is no time") from None
    return (value if value.tzinfo else value.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def text(row: Row, field: str, most: int) -> str:
    """A text within `most` characters and without control characters."""
    value = str(row.get(field) or "").strip()
    try:
        prose(value)
    except ValueError as error:
        raise LeftOut(f"{field}: {error}") from None
    if len(value) > most:
        raise LeftOut(f"{field}: has more than {most} characters")
    return value


def whole(row: Row, field: str) -> int:
    """A number of seats; 0 where none is given."""
    value = row.get(field)
    try:
        number = int(value) if value is not None else 0
    except (TypeError, ValueError):
        raise LeftOut(f"{field}: {value!r} is no whole number") from None
    if not 0 <= number <= _MOST:
        raise LeftOut(f"{field}: {number} is not between 0 and {_MOST}")
    return number


def money(row: Row, field: str) -> Decimal:
    """An amount of money that fits numeric(12, 2)."""
    try:
        amount = Decimal(str(row.get(field) if row.get(field) is not None else 0))
    except InvalidOperation:
        raise LeftOut(f"{field}: is no amount of money") from None
    if not amount.is_finite() or not 0 <= amount < 10**10:
        raise LeftOut(f"{field}: {amount} is not between 0 and 9999999999.99")
    return amount.quantize(Decimal("0.01"))


def event_status(row: Row) -> str:
    return _status(row, _EVENT_STATUSES, "scheduled")


def order_status(row: Row) -> str:
    """What is neither cancelled, expired nor used admits: `registered`."""
    return _ORDER_STATUSES.get(_word(row), tickets.REGISTERED)


def payment_status(row: Row) -> str:
    return _status(row, _PAYMENT_STATUSES, tickets.PENDING)


def _word(row: Row) -> str:
    return str(row.get("status") or "").strip().lower().replace("-", "_").replace(" ", "_")


def _status(row: Row, known: dict[str, str], absent: str) -> str:
    word = _word(row)
    if not word:
        return absent
    if word not in known:
        raise LeftOut(f"status: {word[:40]!r} is none of {', '.join(sorted(filter(None, known)))}")
    return known[word]
