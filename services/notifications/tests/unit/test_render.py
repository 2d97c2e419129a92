"""What a reminder says."""

import re
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from services.notifications.mail.compose import Composer
from services.notifications.mail.render import LinkBase
from services.notifications.mail.words import language, words_for
from services.notifications.model import Claim, Content
from services.notifications.tests.unit.test_model import CLAIM

SENDER = "DicoEvent <reminders@dicoevent.example>"


def render(claim: Claim) -> EmailMessage:
    _, raw = Composer(SENDER, LinkBase("https://dicoevent.example", "secret")).compose(claim)
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", raw) is None
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


@pytest.mark.parametrize(
    ("minutes", "english", "indonesian"),
    [
        (120, "two hours", "dua jam"),
        (60, "one hour", "satu jam"),
        (119, "1 hour 59 minutes", "1 jam 59 menit"),
        (61, "1 hour 1 minute", "1 jam 1 menit"),
        (45, "45 minutes", "45 menit"),
        (1, "1 minute", "1 menit"),
        (0, "1 minute", "1 menit"),
        (24 * 60, "1 day", "1 hari"),
        (49 * 60, "2 days 1 hour", "2 hari 1 jam"),
    ],
)
def test_times_are_said_in_words(minutes: int, english: str, indonesian: str) -> None:
    assert words_for(minutes, "en") == english
    assert words_for(minutes, "id") == indonesian


@pytest.mark.parametrize(
    ("locale", "lang"),
    [
        ("id", "id"),
        ("id_ID", "id"),
        ("in-ID", "id"),
        ("id-ID", "id"),
        ("in", "id"),
        ("ID", "id"),
        ("en", "en"),
        ("", "en"),
        ("fr", "en"),
    ],
)
def test_indonesian_for_indonesian_locales_english_for_all_others(locale: str, lang: str) -> None:
    assert language(locale) == lang


def test_the_same_claim_makes_the_same_bytes() -> None:
    assert render(CLAIM).as_bytes() == render(CLAIM).as_bytes()


def test_two_deliveries_have_two_message_ids() -> None:
    other = replace(CLAIM, id=8)
    assert render(CLAIM)["Message-ID"] != render(other)["Message-ID"]


def test_the_start_is_told_in_the_events_zone() -> None:
    text = render(CLAIM).get_body(("plain",)).get_content()
    assert "Tuesday, 1 January 2030, 21:00 (Asia/Jakarta" in text


@pytest.mark.parametrize(
    "name", ["a\r\nBcc: x@dicoevent.example", "a\x00b", "a\u2028b", "x" * 5000, "", "\u202egnp"]
)
def test_no_name_breaks_a_header(name: str) -> None:
    mail = render(replace(CLAIM, event_name=name, name=name, location=name))
    head = mail.as_bytes().split(b"\r\n\r\n")[0]
    assert b"\r\nBcc" not in head
    assert mail["Bcc"] is None


def test_every_value_is_escaped_in_html() -> None:
    evil = "<img src=x onerror=alert(1)>"
    mail = render(replace(CLAIM, event_name=evil, name=evil, location=evil))
    assert "<img" not in mail.get_body(("html",)).get_content()


KNOWN = Content(1, "Jazz", "Elsewhere", "Asia/Jakarta", CLAIM.starts_at - timedelta(hours=1))
LONG = "W" * 2000
EVERY_KIND = [
    replace(CLAIM, codes=("AB12",), organizer_id="o1"),
    replace(CLAIM, kind="manual", codes=("AB12",)),
    replace(CLAIM, codes=("AB12",), confirms="t1"),
    replace(CLAIM, kind="confirmation", codes=("AB12",), subject_id="t1"),
    replace(CLAIM, kind="moved", known=KNOWN),
    replace(CLAIM, kind="moved", known=replace(KNOWN, status="cancelled")),
    replace(CLAIM, kind="cancelled", known=KNOWN),
]


@pytest.mark.parametrize("locale", ["en", "id"])
@pytest.mark.parametrize("claim", EVERY_KIND)
def test_every_mail_is_small_and_loads_nothing_from_elsewhere(claim: Claim, locale: str) -> None:
    mail = render(replace(claim, locale=locale, note=LONG, event_name=LONG, location=LONG, name=LONG))
    assert len(mail.as_bytes()) < 30_000
    html = mail.get_body(("html",)).get_content()
    loaded = re.findall(r"""(?:src|href)="([^"]*)"|url\(([^)]*)""", html)
    assert all(a.startswith(("cid:ticket-qr", "https://dicoevent.example/unsubscribe/")) for a, _ in loaded)
    assert 'name="color-scheme" content="light dark"' in html
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html
    assert f'<html lang="{locale}">' in html


@pytest.mark.parametrize("claim", EVERY_KIND)
def test_only_reminders_can_be_unsubscribed_from(claim: Claim) -> None:
    mail = render(claim)
    reminds = claim.kind in ("reminder", "manual")
    assert (mail["List-Unsubscribe"] is not None) == reminds
    assert ("/unsubscribe/" in mail.get_body(("plain",)).get_content()) == reminds


@pytest.mark.parametrize(
    ("claim", "english", "indonesian"),
    zip(
        EVERY_KIND,
        (*["Reminder:"] * 3, "Your ticket", "Moved:", "Takes place after all:", "Cancelled:"),
        (*["Pengingat:"] * 3, "Tiket Anda", "Dipindahkan:", "Jadi berlangsung:", "Dibatalkan:"),
        strict=True,
    ),
)
def test_the_subject_says_what_a_mail_is(claim: Claim, english: str, indonesian: str) -> None:
    assert render(claim)["Subject"].startswith(english)
    assert render(replace(claim, locale="id"))["Subject"].startswith(indonesian)


def test_one_persons_picture_is_never_in_anothers_mail() -> None:
    first = replace(CLAIM, confirms="t1", codes=("AAAA",))
    second = replace(CLAIM, id=8, confirms="t2", codes=("BBBB",))
    pictures = [
        next(part.get_content() for part in render(claim).walk() if part.get_content_type() == "image/png")
        for claim in (first, second)
    ]
    assert pictures[0] != pictures[1]
