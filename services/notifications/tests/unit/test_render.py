"""What a reminder says."""

import re
import tomllib
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from icalendar import Calendar

from services.notifications.mail.compose import Composer
from services.notifications.mail.render import LinkBase
from services.notifications.mail.words import LANGUAGES, TEMPLATES, language, words_for
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


def picture(code: str) -> bytes:
    mail = render(replace(CLAIM, confirms="t1", codes=(code,)))
    return next(part.get_content() for part in mail.walk() if part.get_content_type() == "image/png")


def test_one_persons_picture_is_never_in_anothers_mail() -> None:
    assert picture("AAAA") != picture("BBBB")


def test_the_picture_is_of_the_code_and_not_of_the_tickets_name() -> None:
    assert picture("AAAA\tBalcony") == picture("AAAA")


@pytest.mark.parametrize("name", ["J" * 30, "J" * 200, "J J " * 50, "Jazz über alles und noch viel mehr" * 4])
def test_a_long_subject_begins_in_the_headers_first_line_and_comes_out_whole(name: str) -> None:
    _, raw = Composer(SENDER, LinkBase("https://dicoevent.example", "secret")).compose(
        replace(CLAIM, kind="moved", known=KNOWN, event_name=name)
    )
    found = re.search(rb"^Subject: ((?:.+\r\n )*.+)\r\n(?! )", raw, re.M)
    assert found is not None
    lines = found[1].split(b"\r\n")
    assert all(line.strip() for line in lines)
    assert max(map(len, lines)) <= 78
    subject = str(message_from_bytes(raw, policy=default)["Subject"])
    assert subject == f"Moved: {name.strip()} is now Tuesday, 1 January 2030, 21:00"


# In octets on the wire: one each, two, three and four, escaped in HTML, and as many lines as letters.
@pytest.mark.parametrize("letter", ["W", "é", "界", "🎷", '"', "<", "=", ".\n"])
def test_no_mail_reaches_30_kb_whatever_it_has_to_say(letter: str) -> None:
    text = (letter * 2000)[:2000]
    codes = tuple(f"K7WQ2M{n:04}" for n in range(500))
    links = LinkBase("https://tickets." + "x" * 200 + ".example", "secret")
    for claim in EVERY_KIND:
        known = claim.known and replace(claim.known, location=text, name=text)
        largest = replace(
            claim, note=text, event_name=text, location=text, name=text, codes=codes, known=known, locale="id"
        )
        assert len(Composer(SENDER, links).compose(largest)[1]) < 30_000


def test_of_more_codes_than_fit_each_is_whole_and_the_rest_is_counted() -> None:
    codes = tuple(f"K7WQ2M{n:04}" for n in range(500))
    for body in ("plain", "html"):
        text = "".join(render(replace(CLAIM, codes=codes)).get_body((body,)).get_content().split("\r\n"))
        shown = re.findall(r"K7WQ2M\d{4}(?=,|\s)", text)
        assert len(shown) > 100
        assert shown == list(codes[: len(shown)])
        assert f"… +{500 - len(shown)}" in text
    few = render(replace(CLAIM, codes=codes[:100])).get_body(("plain",)).get_content()
    assert all(code in few for code in codes[:100])
    assert "+" not in few.partition("Your ticket")[2].partition("\n")[0]


def test_a_note_of_2000_letters_is_whole_and_a_longer_one_says_that_it_was_cut() -> None:
    assert "n" * 2000 in render(replace(CLAIM, note="n" * 2000)).get_body(("plain",)).get_content()
    cut = render(replace(CLAIM, note="界" * 2000)).get_body(("plain",)).get_content()
    assert re.search("界{500,}…", cut)


@pytest.mark.parametrize("locale", ["en", "id"])
@pytest.mark.parametrize("claim", [c for c in EVERY_KIND if c.kind != "cancelled"])
def test_the_organizers_own_words_stand_above_the_facts_and_are_plain_text(claim: Claim, locale: str) -> None:
    noted = replace(claim, locale=locale, note="Bring a torch.\n<b>Doors</b> at six", codes=("K7WQ2M9XPA",))
    mail = render(noted)
    text = mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    assert "Bring a torch.\r\n<b>Doors</b> at six\r\n" in text
    assert "Bring a torch.<br>" in html
    assert "&lt;b&gt;Doors&lt;/b&gt; at six" in html
    for body in (text, html):
        place = body.index("Bring a torch.")
        assert all(
            place < body.index(fact) for fact in ("Tuesday" if locale == "en" else "Selasa", "K7WQ2M9XPA")
        )


@pytest.mark.parametrize("claim", EVERY_KIND)
def test_every_mail_carries_the_event_for_a_calendar(claim: Claim) -> None:
    ends = CLAIM.starts_at + timedelta(hours=3)
    mail = render(replace(claim, content_version=7, ends_at=ends, note="Doors at six"))
    [part] = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    calendar = Calendar.from_ical(part.get_payload(decode=True))
    [entry] = calendar.walk("VEVENT")
    method = "CANCEL" if claim.kind == "cancelled" else "PUBLISH"
    assert (calendar["METHOD"], part["Content-Type"].params["method"]) == (method, method)
    assert (entry["UID"], entry["SEQUENCE"]) == ("e@dicoevent.example", 7)
    assert entry["DTSTART"].dt == CLAIM.starts_at
    assert entry["SUMMARY"] == "Jazz"
    assert entry["STATUS"] == ("CANCELLED" if method == "CANCEL" else "CONFIRMED")
    assert ("DTEND" in entry) == ("DESCRIPTION" in entry) == (method == "PUBLISH")


def test_both_languages_have_a_phrase_for_everything() -> None:
    english, indonesian = (
        tomllib.loads((TEMPLATES / "words" / f"{lang}.toml").read_text()) for lang in LANGUAGES
    )

    def shape(words: dict) -> dict:
        return {
            name: shape(said) if isinstance(said, dict) else sorted(re.findall(r"{\w+}", said))
            for name, said in words.items()
        }

    assert shape(english) == shape(indonesian)
