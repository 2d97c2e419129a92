"""A delivery as a mail: the same claim always makes the same bytes."""

from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime as rfc5322_date
from email.utils import parseaddr
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from services.notifications.model import Claim
from services.notifications.schedule import remaining_minutes

_NUMBERS = {
    "en": ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    "id": ("satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "delapan", "sembilan", "sepuluh"),
}
_UNITS = {"en": ("hour", "hours", "minute", "minutes"), "id": ("jam", "jam", "menit", "menit")}
_SUBJECTS = {"en": "Reminder: {event} starts in {when}", "id": "Pengingat: {event} dimulai {when} lagi"}
_NAMELESS = {"en": "your event", "id": "acara Anda"}


def language(locale: str) -> str:
    """`id` for Indonesian locales (`in` is its old code), `en` for all others."""
    return "id" if locale.replace("_", "-").split("-")[0].lower() in ("id", "in") else "en"


def words_for(minutes: int, lang: str) -> str:
    """A time in words: `two hours`, `1 hour 35 minutes`, `dua jam`."""
    hour, hours, minute, minutes_word = _UNITS[lang]
    whole, rest = divmod(max(1, minutes), 60)
    if not rest and whole <= len(_NUMBERS[lang]):
        return f"{_NUMBERS[lang][whole - 1]} {hour if whole == 1 else hours}"
    days, whole = divmod(whole, 24)
    parts = []
    if days:
        parts.append(f"{days} {'hari' if lang == 'id' else 'day' if days == 1 else 'days'}")
    if whole:
        parts.append(f"{whole} {hour if whole == 1 else hours}")
    if rest and not days:
        parts.append(f"{rest} {minute if rest == 1 else minutes_word}")
    return " ".join(parts)


def start_in_words(starts_at: datetime, timezone: str, lang: str) -> str:
    """The start where the event is: `Friday, 27 November 2026, 19:30 (Asia/Jakarta, WIB)`."""
    from babel.dates import format_datetime, get_timezone_name

    local = starts_at.astimezone(ZoneInfo(timezone))
    text = format_datetime(local, "EEEE, d MMMM y, HH:mm", locale=lang)
    return f"{text} ({timezone}, {get_timezone_name(local, width='short', locale=lang)})"


@lru_cache(maxsize=16)
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _one_line(text: str, limit: int = 200) -> str:
    """A text without control characters: a line break in a header would begin another one."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def message_id(claim: Claim, sender: str) -> str:
    """The Message-ID of a delivery, the same for all its attempts."""
    key = f"{claim.id}/{claim.event_id}/{claim.holder_id}/{claim.starts_at.isoformat()}"
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    return f"<{claim.id}.{sha256(key.encode()).hexdigest()[:24]}@{domain}>"


def render(claim: Claim, sender: str) -> EmailMessage:
    """The reminder of one delivery, plain text and HTML, in the holder's language."""
    lang = language(claim.locale)
    values = _values(claim, lang)
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = _SUBJECTS[lang].format(event=values["event"], when=values["when"])
    mail["From"] = sender
    mail["To"] = _recipient(claim)
    mail["Date"] = rfc5322_date(claim.composed_at)
    mail["Message-ID"] = message_id(claim, sender)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers, please
    mail["Content-Language"] = lang
    mail.set_content(_template(f"{lang}/reminder.txt").render(values), cte="quoted-printable")
    mail.add_alternative(
        _template(f"{lang}/reminder.html").render(values), subtype="html", cte="quoted-printable"
    )
    # A boundary of the library's own choice would differ with each attempt.
    mail.set_boundary(f"=_{sha256(str(mail['Message-ID']).encode()).hexdigest()[:32]}")
    return mail


def _values(claim: Claim, lang: str) -> Mapping[str, str]:
    return {
        "event": _one_line(claim.event_name) or _NAMELESS[lang],
        "name": _one_line(claim.name),
        "location": _one_line(claim.location, 500),
        "start": start_in_words(claim.starts_at, claim.timezone, lang),
        "when": words_for(remaining_minutes(claim.starts_at, claim.composed_at), lang),
    }


def _recipient(claim: Claim) -> Address:
    return Address(display_name=_one_line(claim.name, 100), addr_spec=_one_line(claim.address, 320))
