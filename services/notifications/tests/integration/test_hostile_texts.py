"""Hostile texts and addresses against a real SMTP server: never a second recipient, a broken header or a dead
worker."""

from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage

import pytest
import sqlalchemy as sa
from icalendar import Calendar

from services.notifications.tests.integration.conftest import World
from shared.testing import example

TEXTS = {
    "carriage return and line feed": "Jazz\r\nBcc: all@dicoevent.example",
    "carriage return": "Jazz\rBcc: all@dicoevent.example",
    "bare line feed": "Jazz\nBcc: all@dicoevent.example",
    "C0": "".join(map(chr, range(1, 32))) + "Jazz",
    "U+2028 and U+2029": "Jazz\u2028Bcc: all@dicoevent.example\u2029x",
    "end of data": "Jazz\n.\nRCPT TO:<all@dicoevent.example>",
    "end of data with CRLF": "Jazz\r\n.\r\nQUIT\r\n",
    "leading dots": ".\n..\n...Jazz",
    "a line as long as can be": "J" * 2000,
    "comma": "Jazz, all@dicoevent.example",
    "address": "Jazz <all@dicoevent.example>, x",
    "template code": "{{ 7 * 7 }}{% for x in () %}{% endfor %}${7*7}{0.__class__}%s",
    "HTML": "<script>alert(1)</script><img src=//dicoevent.example/x>&lt;",
    "bidi overrides": "\u202egnp.zzaJ\u202c \u2066x\u2069",
    "encoded word": "=?utf-8?q?=0D=0ABcc:_all@dicoevent.example?=",
    "quotes and backslashes": '"Jazz\\" <all@dicoevent.example>',
    "emoji and combining": "🎷" * 60 + "e\u0301" * 60,
    "nothing but white space": " \t\u00a0 ",
}
ADDRESSES = {
    "comma": "h2@dicoevent.example,all@dicoevent.example",
    "line break": "h2@dicoevent.example\r\nRCPT TO:<all@dicoevent.example>",
    "angle brackets": "h2@dicoevent.example> <all@dicoevent.example",
    "no domain": "h2",
    "quoted local part": '"a\\"b, all@dicoevent.example"@dicoevent.example',
    "quoted local part with a space": '"a b"@dicoevent.example',
}


# Every place at which somebody's text can come near a mail.
PLACES = ("event_name", "event_location", "event_reminder_note", "holder_name", "ticket_code", "ticket_name")


@pytest.fixture
def shop(world: World) -> World:
    world.settings = replace(world.settings, confirm_orders=True)
    return world


def order(world: World, holder: str, **changes: str) -> dict:
    message = example("ticket.ordered")
    data = message["data"]
    start = world.now().replace(microsecond=0)
    starts_at = (start + timedelta(days=9)).isoformat()
    data["event"].update(id=f"e-{holder}", version=1, starts_at=starts_at, ends_at=None)
    data["holder"].update(id=holder, email=f"{holder}@dicoevent.example", locale="en")
    data["ticket"]["id"] = f"t-{holder}"
    for name, text in changes.items():
        part, _, field = name.partition("_")
        data[part][field] = text
    world.receive(message)
    return message


def check_sound(mail: EmailMessage, kind: str) -> str:
    """One recipient, the headers that we wrote and no other, its parts, nothing disguised; who got it."""
    names = {name.lower() for name in mail.keys()}  # noqa: SIM118 - a message's iterator is not its names
    expected = {
        "to", "date", "message-id", "subject", "from", "auto-submitted", "mime-version", "content-type",
        "content-language", "list-unsubscribe", "list-unsubscribe-post", "x-peer", "x-mailfrom", "x-rcptto",
    }  # fmt: skip
    assert names <= expected
    assert len(mail.get_all("subject")) == len(mail.get_all("to")) == len(mail.get_all("from")) == 1
    parts = [part.get_content_type() for part in mail.walk() if not part.is_multipart()]
    picture = ["image/png"] if kind == "confirmation" else []
    assert parts == ["text/plain", "text/html", *picture, "text/calendar"]
    html = mail.get_body(("html",)).get_content()
    text = str(mail["Subject"]) + str(mail["To"]) + mail.get_body(("plain",)).get_content() + html
    assert "<script" not in html
    assert "<img src=//" not in html
    assert "49" not in str(mail["Subject"])
    assert not any(letter in text for letter in "\u202e\u2066\u202c\u2069\x00\x07\x1b")
    entry = next(part for part in mail.walk() if part.get_content_type() == "text/calendar")
    calendar = Calendar.from_ical(entry.get_payload(decode=True))
    [event] = calendar.walk("VEVENT")
    assert "ATTENDEE" not in event
    [to] = mail["To"].addresses
    return to.addr_spec


def test_no_text_in_any_place_of_any_mail_makes_a_second_recipient_or_breaks_a_header(shop: World) -> None:
    messages = {
        f"h{n}": order(shop, f"h{n}", **dict.fromkeys(PLACES, text)) for n, text in enumerate(TEXTS.values())
    }
    everybody = sorted(f"{holder}@dicoevent.example" for holder in messages)
    shop.deliver()
    for kind in ("confirmation", "reminder", "moved", "cancelled"):
        assert sorted(check_sound(mail, kind) for mail in shop.server.mails) == everybody, kind
        shop.server.mails.clear()
        if kind == "confirmation":
            shop.later(timedelta(days=9, hours=-2))
        elif kind == "reminder":
            for message in messages.values():
                place = f"x {message['data']['event']['location'][2:]}"
                shop.change(message, 2, starts_in=timedelta(days=3), location=place)
            shop.later(timedelta(seconds=61))
        elif kind == "moved":
            for message in messages.values():
                shop.change(message, 3, "event.cancelled", starts_in=timedelta(days=3))
        shop.deliver()
    assert sorted(shop.server.recipients()) == sorted(everybody * 4)


@pytest.mark.parametrize("text", ["a\x00b", "J" * 5000], ids=["NUL", "a line of 5,000 letters"])
def test_what_no_mail_can_say_is_kept_with_its_reason_and_stops_nobody(shop: World, text: str) -> None:
    for place in PLACES:
        order(shop, f"bad-{place.replace('_', '-')}", **{place: text})
    order(shop, "good")
    shop.deliver()
    assert shop.server.recipients() == ["good@dicoevent.example"]
    with shop.engine.connect() as connection:
        reasons = connection.execute(sa.text("SELECT reason FROM dead_letters ORDER BY id")).scalars().all()
    assert len(reasons) == len(PLACES)
    for place, reason in zip(PLACES, reasons, strict=True):
        assert place.partition("_")[2] in reason


def test_a_line_of_2000_letters_in_the_note_is_wrapped_and_whole(shop: World) -> None:
    note = "n" * 2000
    order(shop, "h1", event_reminder_note=note, event_name="E" * 2000, event_location="L" * 2000)
    shop.deliver()
    [mail] = shop.server.mails
    assert note in mail.get_body(("plain",)).get_content()
    assert len(mail.as_bytes()) < 30_000


def test_a_note_keeps_its_lines_and_its_dots(shop: World) -> None:
    order(shop, "h1", event_reminder_note="first\n.\n..second\r\n.third")
    shop.deliver()
    text = shop.server.mails[0].get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert "first\n.\n..second\n.third\n" in text
    assert "first<br>" in shop.server.mails[0].get_body(("html",)).get_content()


@pytest.mark.parametrize("name", [*ADDRESSES, "NUL"])
def test_an_address_that_is_none_is_refused_or_fails_alone(shop: World, name: str) -> None:
    order(shop, "h1")
    order(shop, "h2", holder_email=ADDRESSES.get(name, "h2\x00@dicoevent.example"))
    order(shop, "h3")
    shop.deliver()
    good = {"h1@dicoevent.example", "h3@dicoevent.example"}
    assert good <= set(shop.server.recipients())
    assert "all@dicoevent.example" not in shop.server.recipients()
    assert len(shop.server.recipients()) <= 3
    assert all(len(mail["To"].addresses) == 1 for mail in shop.server.mails)


def test_an_internationalized_domain_is_written_to_in_its_ascii_form(shop: World) -> None:
    order(shop, "h1", holder_email="sari@müsik.example")
    shop.deliver()
    assert shop.server.recipients() == ["sari@xn--msik-0ra.example"]
