"""A filled mail is the mail that was meant, whatever the values are."""

import html
import re
from email import message_from_bytes, message_from_string
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import SMTP, default
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifications.mail.compiled import CompiledMail, hole, many_lines, one_line

VALUES = {
    "name": "Sari Dewi",
    "address": "sari@dicoevent.example",
    "message_id": "<1.abc@dicoevent.example>",
    "date": "Tue, 01 Jan 2030 12:00:00 +0000",
    "codes": "AB12, CD34",
    "unsubscribe": "https://dicoevent.example/u?t=abc=.def",
}
NAMES = st.text(max_size=120)
# What a stored text can be: any but U+0000 and lone surrogates, which the projections refuse.
TEXTS = st.text(max_size=400)


def master(event: str = "Malam Jazz di Kota Tua § äöü") -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = f"Reminder: {event}"
    mail["From"] = "DicoEvent <reminders@dicoevent.example>"
    mail["To"] = hole("to")
    mail["Date"] = hole("date")
    mail["Message-ID"] = hole("message_id")
    mail["List-Unsubscribe"] = f"<{hole('unsubscribe')}>"
    mail.set_content(f"Hello {hole('name')},\n.\n{event * 5} starts\nCodes: {hole('codes')}\n.end\n")
    mail.add_alternative(
        f"<p>Hello {hole('name')}</p>\n<a href='{hole('unsubscribe')}'>x</a> {hole('codes')}", subtype="html"
    )
    mail.add_attachment(b"BEGIN:VCALENDAR\r\n", maintype="text", subtype="calendar", filename="e.ics")
    return mail


COMPILED = CompiledMail.of(master())


def filled(**values: str) -> EmailMessage:
    raw = COMPILED.fill({**VALUES, **values})
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", raw) is None
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def plain(mail: EmailMessage) -> str:
    return mail.get_body(("plain",)).get_content().replace("\r\n", "\n")


def test_it_is_the_master_with_its_holes_filled() -> None:
    mail = filled()
    assert mail["To"].addresses[0].display_name == "Sari Dewi"
    assert mail["To"].addresses[0].addr_spec == "sari@dicoevent.example"
    assert mail["Message-ID"] == VALUES["message_id"]
    assert mail["Date"] == VALUES["date"]
    assert mail["List-Unsubscribe"] == f"<{VALUES['unsubscribe']}>"
    assert mail["Subject"] == "Reminder: Malam Jazz di Kota Tua § äöü"
    assert plain(mail).startswith("Hello Sari Dewi,\n.\nMalam Jazz")
    assert plain(mail).endswith("Codes: AB12, CD34\n.end\n")
    assert f"<a href='{VALUES['unsubscribe']}'>" in mail.get_body(("html",)).get_content()
    assert [part.get_filename() for part in mail.iter_attachments()] == ["e.ics"]


def test_the_same_values_are_the_same_bytes_in_every_process() -> None:
    assert CompiledMail.of(master()).fill(VALUES) == COMPILED.fill(VALUES)
    assert b"HOLE" not in COMPILED.fill(VALUES)


def test_it_is_seven_bit_unless_the_address_is_not() -> None:
    assert COMPILED.fill({**VALUES, "name": "Žofie", "codes": "ž"}).isascii()
    raw = COMPILED.fill({**VALUES, "address": "žofie@dicoevent.example"})
    mail = message_from_string(raw.decode(), policy=default)
    assert mail["To"].addresses[0].addr_spec == "žofie@dicoevent.example"


def display_name(raw: bytes) -> str:
    """As RFC 2047 6.2 says; the newer parser of Python 3.11 puts a space between two encoded words."""
    quoted = parseaddr(message_from_bytes(raw)["To"].replace("\n", ""))[0]
    return str(make_header(decode_header(quoted)))


@settings(deadline=None, max_examples=60)
@given(name=NAMES)
def test_any_name_stays_in_its_place(name: str) -> None:
    mail = filled(name=name)
    assert mail.keys() == filled().keys()
    [recipient] = mail["To"].addresses
    assert recipient.addr_spec == VALUES["address"]
    assert display_name(COMPILED.fill({**VALUES, "name": name})) == one_line(name)
    assert plain(mail) == plain(filled()).replace("Sari Dewi", many_lines(name), 1)


@settings(deadline=None, max_examples=60)
@given(codes=TEXTS)
def test_any_text_of_many_lines_comes_out_as_it_went_in(codes: str) -> None:
    mail = filled(codes=codes)
    kept = many_lines(codes)
    assert plain(mail) == plain(filled()).replace("AB12, CD34", kept)
    body = mail.get_body(("html",)).get_content().replace("\r\n", "\n")
    assert html.unescape(body.partition("</a> ")[2]) == kept + "\n"
    assert len(list(mail.walk())) == len(list(filled().walk()))


@settings(deadline=None, max_examples=60)
@given(value=NAMES)
def test_no_value_of_a_structured_header_begins_another(value: str) -> None:
    try:
        mail = filled(message_id=value, unsubscribe=value)
    except ValueError:
        return
    assert mail.keys() == filled().keys()


@settings(deadline=None, max_examples=60)
@given(address=st.text(max_size=60))
def test_no_address_becomes_two(address: str) -> None:
    try:
        mail = filled(address=address)
    except ValueError:
        return
    assert len(mail["To"].addresses) == 1
    assert mail.keys() == filled().keys()


@settings(deadline=None, max_examples=60)
@given(event=TEXTS, name=NAMES)
def test_a_subject_may_have_a_hole(event: str, name: str) -> None:
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = f"{hole('name')} § {one_line(event)}"
    mail.set_content("x")
    raw = CompiledMail.of(mail).fill({"name": name})
    assert message_from_bytes(raw, policy=default)["Subject"] == one_line(f"{name} § {one_line(event)}")


def test_what_turns_text_around_or_controls_is_taken_out() -> None:
    assert one_line("a\u202eb\r\nBcc: x\x00\x7f") == "a b Bcc: x"
    assert many_lines("a\u202eb\r\nc\x00\td") == "ab\nc\td"


def test_a_line_that_is_too_long_is_refused_when_compiled() -> None:
    mail = EmailMessage(policy=SMTP)
    mail.set_payload("x" * 1200)
    with pytest.raises(ValueError, match="998"):
        CompiledMail.of(mail)
