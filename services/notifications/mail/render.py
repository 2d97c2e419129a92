"""A delivery as a mail: what all recipients share is compiled once, their own words are filled in."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime as rfc5322_date
from email.utils import parseaddr
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from services.notifications.link_tokens import unsubscribe_url
from services.notifications.mail.calendar import write_calendar
from services.notifications.mail.compiled import hole, many_lines
from services.notifications.mail.words import (
    NAMELESS,
    TEMPLATES,
    day_and_time,
    fitting,
    language,
    listed,
    phrases,
    short,
    start_in_words,
    words_for,
)
from services.notifications.model import Claim, Kind
from services.notifications.schedule import remaining_minutes

# The longest of a mail's labels says where its facts begin in plain text.
_LABELS = ("when", "where", "ticket", "before", "now", "place_before", "place")
_QR_CID = "ticket-qr"
# In octets as they stand in a mail. With all of them used up a mail is just under 30 kB.
_NAME, _EVENT, _PLACE, _NOTE, _CODES, _ENTRY_NOTE = 450, 600, 800, 5500, 1800, 1500


class ContentKey(NamedTuple):
    """What a master mail depends on. `ticket` makes it one person's own: it has a QR picture of that code."""

    event_id: str
    content_version: int
    known_version: int | None
    kind: str
    lang: str
    starts_at: datetime
    minutes: int
    stamp: datetime
    has_codes: bool
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class LinkBase:
    """Where links in mails lead, and what they are signed with."""

    public_url: str
    secret: str


def content_key(claim: Claim) -> ContentKey:
    """Two claims with the same key have the same mail but for their recipients' own words."""
    minutes, stamp = _moment(claim.starts_at, _worded_at(claim))
    return ContentKey(
        event_id=claim.event_id,
        content_version=claim.content_version,
        known_version=claim.known.version if claim.known else None,
        kind=claim.kind,
        lang=language(claim.locale),
        starts_at=claim.starts_at,
        minutes=minutes,
        stamp=stamp,
        has_codes=any(claim.codes),
        ticket=f"{claim.subject_id}{claim.confirms or ''}",
    )


# All claims of a round have the same times.
@lru_cache(maxsize=64)
def _moment(starts_at: datetime, worded_at: datetime) -> tuple[int, datetime]:
    stamp = worded_at.astimezone(UTC).replace(second=0, microsecond=0)
    return remaining_minutes(starts_at, worded_at), stamp


@lru_cache(maxsize=64)
def _date(composed_at: datetime) -> str:
    return rfc5322_date(composed_at)


def _worded_at(claim: Claim) -> datetime:
    return claim.worded_at or claim.composed_at


def values(claim: Claim, sender: str, links: LinkBase) -> dict[str, str]:
    """A recipient's own words, one for each hole of a master."""
    name = short(claim.name, 100)
    if not name.isascii():
        name = fitting(name, _NAME)
    return {
        "name": name,
        "address": claim.address,
        "greeting": f" {name}" if name else "",
        "codes": listed(claim.codes, _CODES),
        "message_id": message_id(claim, sender),
        "date": _date(claim.composed_at),
        "unsubscribe": _unsubscribe_url(claim, links),
    }


def _unsubscribe_url(claim: Claim, links: LinkBase) -> str:
    if not Kind(claim.kind).reminds:
        return ""
    return unsubscribe_url(links.public_url, links.secret, claim.holder_id, claim.organizer_id)


def message_id(claim: Claim, sender: str) -> str:
    """The Message-ID of a delivery, the same for all its attempts."""
    key = f"{claim.id}/{claim.event_id}/{claim.holder_id}/{claim.starts_at.isoformat()}"
    return f"<{claim.id}.{sha256(key.encode()).hexdigest()[:24]}@{domain_of(sender)}>"


@lru_cache(maxsize=8)
def domain_of(sender: str) -> str:
    """The domain of a From header."""
    return parseaddr(sender)[1].rpartition("@")[2] or "localhost"


def master(claim: Claim, sender: str, mark: str = "") -> EmailMessage:
    """The mail of a claim with holes for its recipient's own words: text, HTML, picture and .ics."""
    lang = language(claim.locale)
    words = _words(claim, lang)
    mail = EmailMessage(policy=SMTP)
    # The library would decode what looks like an encoded word (RFC 2047), line breaks in it included.
    mail["Subject"] = (mark + words["say"]["subject"]).replace("=?", "= ?")
    mail["From"] = sender
    mail["To"] = hole("to")
    mail["Date"] = hole("date")
    mail["Message-ID"] = hole("message_id")
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers, please
    if Kind(claim.kind).reminds:
        mail["List-Unsubscribe"] = f"<{hole('unsubscribe')}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    template = "reminder" if claim.kind == Kind.MANUAL else claim.kind
    mail.set_content(_template(f"{template}.txt").render(words), cte="quoted-printable")
    html = _template(f"{template}.html").render(words)
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    if words["qr"]:
        _add_picture(mail, claim.codes[0].partition("\t")[0])
    calendar = _calendar(claim, sender, words["event"])
    method = "CANCEL" if claim.kind == Kind.CANCELLED else "PUBLISH"
    mail.add_attachment(calendar, maintype="text", subtype="calendar", filename="event.ics")
    part = list(mail.iter_attachments())[-1]
    part.set_param("charset", "utf-8")
    part.set_param("method", method)
    mail["Content-Language"] = lang
    return mail


def _say(claim: Claim, lang: str, **facts: str) -> dict[str, str]:
    """The phrases of a kind of mail, with the event's facts in them."""
    kinds = ["reminder" if claim.kind == Kind.MANUAL else claim.kind]
    if claim.kind == Kind.MOVED and claim.known is not None and claim.known.called_off:
        kinds.append("again")
    return {name: phrase.format(**facts) for name, phrase in phrases(lang, *kinds).items()}


def _words(claim: Claim, lang: str) -> dict[str, Any]:
    """What the templates read. Everything that somebody wrote is in one line but for the note."""
    known, cancelled = claim.known, claim.kind == Kind.CANCELLED
    location = known.location if cancelled and known else claim.location
    note = "" if cancelled else fitting(many_lines(claim.note).strip(), _NOTE)
    say = _say(
        claim,
        lang,
        event=_event_name(claim, lang),
        day=day_and_time(claim.starts_at, claim.timezone, lang),
        when_left=words_for(remaining_minutes(claim.starts_at, _worded_at(claim)), lang),
    )
    return {
        "lang": lang,
        "say": say,
        "width": 2 + max(len(say[label]) for label in _LABELS if label in say),
        "event": _event_name(claim, lang),
        "location": _place(location),
        "start": start_in_words(claim.starts_at, claim.timezone, lang),
        "note": note.split("\n") if note else [],
        "old_start": start_in_words(known.starts_at, known.timezone, lang) if known else "",
        "old_location": _place(known.location) if known else "",
        "time_moved": known is not None and known.starts_at != claim.starts_at,
        "place_moved": known is not None and known.location.split() != claim.location.split(),
        "again": known is not None and known.called_off,
        "confirms": bool(claim.confirms),
        "greeting": hole("greeting"),
        "codes": hole("codes") if any(claim.codes) else "",
        "unsubscribe": hole("unsubscribe"),
        "qr": _QR_CID if (claim.confirms or claim.subject_id) and any(claim.codes[:1]) else "",
    }


def _event_name(claim: Claim, lang: str) -> str:
    return fitting(short(claim.event_name), _EVENT) or NAMELESS[lang]


def _place(location: str) -> str:
    return fitting(short(location, 500), _PLACE)


def _calendar(claim: Claim, sender: str, name: str) -> bytes:
    cancelled = claim.kind == Kind.CANCELLED
    location = claim.known.location if cancelled and claim.known else claim.location
    return write_calendar(
        event_id=claim.event_id,
        domain=domain_of(sender),
        version=claim.content_version,
        name=name,
        location=_place(location),
        note="" if cancelled else fitting(many_lines(claim.note), _ENTRY_NOTE),
        starts_at=claim.starts_at,
        ends_at=None if cancelled else claim.ends_at,
        stamp=content_key(claim).stamp,
        sender=parseaddr(sender)[1],
        cancelled=cancelled,
    )


def _add_picture(mail: EmailMessage, code: str) -> None:
    import segno

    out = BytesIO()
    segno.make_qr(code, error="m").save(out, kind="png", scale=6, border=3)
    html = mail.get_body(("html",))
    assert html is not None, "add_alternative made it"
    html.add_related(
        out.getvalue(), "image", "png", cid=f"<{_QR_CID}>", filename="ticket.png", disposition="inline"
    )


@lru_cache(maxsize=64)
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
