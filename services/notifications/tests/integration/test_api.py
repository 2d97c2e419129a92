"""What staff see and ask for."""

import re
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from services.notifications import commands, projections
from services.notifications.reach import Outlook, last_leaves, warnings_of
from services.notifications.tests.integration.conftest import Desk, sign_in
from shared.testing import example
from shared.testing.openapi import findings

EVENT = "/api/notifications/events/e1"


@pytest.fixture
def held(desk: Desk) -> dict:
    """An event of `boss` in three hours, with three holders."""
    for n in (1, 2, 3):
        message = desk.world.order(
            holder=f"h{n}",
            organizer_id="boss",
            name="Jazz",
            starts_in=timedelta(hours=3),
            location="Kota Tua",
        )
    return message


def test_the_ledger_tells_each_deliverys_whole_story(desk: Desk, held: dict) -> None:
    desk.world.server.answers["h2@dicoevent.example"] = "451 4.7.1 greylisted"
    desk.world.later(timedelta(hours=1))
    desk.world.deliver()
    desk.world.server.answers.clear()
    desk.world.later(timedelta(minutes=3))
    desk.world.deliver()
    ledger = desk.get(EVENT, desk.organizer)
    assert ledger["counts"] == {"accepted": 3}
    [schedule] = ledger["schedule"]
    assert (schedule["kind"], schedule["lead_minutes"], schedule["state"]) == ("reminder", 120, "done")
    assert ledger["punctuality"]["max"] >= 0
    tried = next(d for d in ledger["deliveries"] if d["holder_id"] == "h2")
    assert tried["answer"].startswith("250 ")
    assert tried["worker"] == "test"
    assert tried["attempts"] == 2
    assert [(h["state"], h["answer"], h["worker"]) for h in tried["history"]] == [
        ("retry", "451 4.7.1 greylisted", "test")
    ]
    times = [tried[name] for name in ("due_at", "claimed_at", "sending_at", "finished_at")]
    assert [datetime.fromisoformat(t) for t in times] == sorted(datetime.fromisoformat(t) for t in times)


def test_the_ledger_is_paged_by_number_and_by_cursor(desk: Desk, held: dict) -> None:
    desk.world.later(timedelta(hours=1))
    desk.world.deliver()
    first = desk.get(EVENT, page_size=2)
    second = desk.get(EVENT, page_size=2, cursor=first["pagination"]["next_cursor"])
    assert [len(page["deliveries"]) for page in (first, second)] == [2, 1]
    assert second["deliveries"] == desk.get(EVENT, page_size=2, page=2)["deliveries"]
    assert "next_cursor" not in second["pagination"]
    assert desk.client.get(f"{EVENT}?cursor=rubbish", headers=desk.admin).status_code == 400


@pytest.mark.parametrize("path", ["", "/unreachable", "/preview", "/preflight"])
def test_only_staff_of_the_event_see_it(desk: Desk, held: dict, path: str) -> None:
    for who, status in ((desk.admin, 200), (desk.organizer, 200), (desk.rival, 403), (desk.user, 403)):
        assert desk.client.get(EVENT + path, headers=who).status_code == status
    assert desk.client.get(EVENT + path).status_code == 401
    assert desk.client.get(f"/api/notifications/events/none{path}", headers=desk.admin).status_code == 404


def test_staff_see_who_cannot_be_reached_and_why(desk: Desk, held: dict) -> None:
    desk.world.server.answers["h2@dicoevent.example"] = "554 5.2.1 mailbox disabled"
    desk.post("/api/notifications/suppressions", {"address": "h1@dicoevent.example"}, status=201)
    desk.world.later(timedelta(hours=1))
    desk.world.deliver()
    found = desk.get(f"{EVENT}/unreachable", desk.organizer)
    assert [(u["holder_id"], u["reason"]) for u in found["unreachable"]] == [
        ("h1", "added by hand"),
        ("h2", "refused"),
    ]
    assert "mailbox disabled" in found["unreachable"][1]["detail"]
    assert found["pagination"]["total"] == 2


@pytest.mark.parametrize(
    ("kind", "locale", "subject"),
    [
        ("reminder", "en", "Reminder: Jazz starts in 1 day"),
        ("reminder", "id", "Pengingat: Jazz dimulai 1 hari lagi"),
        ("confirmation", "en", "Your ticket for Jazz"),
        ("moved", "en", "Moved: Jazz is now "),
        ("cancelled", "id", "Dibatalkan: Jazz tidak jadi berlangsung"),
    ],
)
def test_a_mail_is_seen_before_it_goes_out(
    desk: Desk, held: dict, kind: str, locale: str, subject: str
) -> None:
    shown = desk.get(f"{EVENT}/preview", desk.organizer, kind=kind, lead=1440, locale=locale)
    assert shown["subject"].startswith(subject)
    assert "Kota Tua" in shown["text"]
    assert "Kota Tua" in shown["html"]
    assert ("data:image/png;base64," in shown["html"]) == (kind == "confirmation")
    assert desk.world.story() == []


def test_a_test_mail_goes_to_the_caller_alone_and_counts_nowhere(desk: Desk, held: dict) -> None:
    user = example("user.registered", sequence=1)
    user["data"].update(id="boss", email="boss@dicoevent.example", locale="id")
    desk.world.receive(user)
    desk.post(f"{EVENT}/test-mail/", {"kind": "moved"}, desk.organizer)
    desk.post(f"{EVENT}/test-mail/", {"kind": "reminder", "lead": 60, "locale": "en"}, desk.organizer)
    assert desk.world.server.mails == []
    desk.world.deliver()
    assert desk.world.server.addresses() == ["boss@dicoevent.example"] * 2
    english, indonesian = sorted(desk.world.subjects())
    assert english == "[Test] Reminder: Jazz starts in one hour"
    assert indonesian.startswith("[Uji] Dipindahkan: Jazz")
    assert desk.get(EVENT)["counts"] == {}


def test_a_test_mail_needs_a_caller_whose_address_is_known(desk: Desk, held: dict) -> None:
    desk.post(f"{EVENT}/test-mail/", None, sign_in("nobody", "admin"), status=409)
    desk.post(f"{EVENT}/test-mail/", {"kind": "poem"}, status=400)


def test_preflight_counts_who_is_reached_and_who_is_not(desk: Desk, held: dict) -> None:
    for n in range(4, 8):
        desk.world.order(holder=f"h{n}", organizer_id="boss", name="Jazz", starts_in=timedelta(hours=3))
    desk.post("/api/notifications/suppressions", {"address": "h1@dicoevent.example"}, status=201)
    with desk.world.engine.begin() as connection:
        # No message brings such an address, but a database may have been fed otherwise.
        connection.execute(sa.text("UPDATE holders SET email = 'a,b@dicoevent.example' WHERE id = 'h2'"))
        connection.execute(
            sa.text("INSERT INTO unsubscribes (holder_id, organizer_id) VALUES ('h3', 'boss'), ('h4', 'x')")
        )
    calm = desk.get(f"{EVENT}/preflight", desk.organizer)
    counts = ("recipients", "suppressed", "unsubscribed", "invalid", "mails")
    assert [calm[name] for name in counts] == [7, 1, 1, 1, 4]
    assert calm["lead_minutes"] == 120
    assert calm["last_at"] is None
    assert calm["warnings"] == []


def test_preflight_says_when_the_last_mail_leaves_and_warns_only_when_that_is_after_the_start(
    desk: Desk, held: dict
) -> None:
    with desk.world.engine.connect() as connection:
        event = projections.find_event(connection, "e1")
        assert event is not None
        found = commands.preflight(connection, event, None, desk.world.settings, 1)
    assert found["first_at"] == event.starts_at - timedelta(hours=2)
    assert found["last_at"] - found["first_at"] == timedelta(seconds=2)
    assert found["warnings"] == []
    now = found["first_at"]
    outlook = Outlook(3, 0, 0, 0)
    for seconds, words in ((3, []), (2, ["1 s after"]), (1, ["2 s after"]), (0, ["has started"])):
        starts_at = now + timedelta(seconds=seconds)
        said = warnings_of(outlook, last_leaves(now, outlook.mails, 1), now, starts_at)
        assert [word in line for word, line in zip(words, said, strict=True)] == [True] * len(words)


def test_the_api_does_what_its_document_says(desk: Desk, held: dict) -> None:
    found = findings(
        desk.app,
        sign_in("root", "superuser"),
        examples=50,
        stateful_examples=3,
        state_refuses="is not one that a list has answered",
    )
    assert not found, "\n\n".join(found)


def test_a_reminders_text_never_says_more_than_the_time_that_is_left(desk: Desk, held: dict) -> None:
    desk.world.later(timedelta(hours=1, minutes=7, seconds=30))
    desk.world.deliver()
    text = desk.world.server.mails[0].get_body(("plain",)).get_content()
    assert re.search(r"starts in 1 hour 53 minutes", text)


def test_a_mail_that_could_not_make_it_shows_in_the_ledger_as_a_miss(desk: Desk, held: dict) -> None:
    desk.world.later(timedelta(hours=3, minutes=1))
    desk.world.deliver()
    ledger = desk.get(EVENT, desk.organizer)
    assert ledger["counts"] == {"expired": 3}
    assert {(d["state"], d["reason"]) for d in ledger["deliveries"]} == {("expired", "the event had started")}
    assert ledger["punctuality"] == {"p50": None, "p95": None, "max": None}


def test_punctuality_counts_downtime_and_not_that_somebody_ordered_late(desk: Desk, held: dict) -> None:
    desk.world.later(timedelta(hours=1, minutes=30))
    desk.world.deliver()
    late = desk.get(EVENT)["punctuality"]
    assert 1800 <= late["p50"] <= late["p95"] <= late["max"] < 1900
    for n in (4, 5, 6, 7, 8):
        desk.world.order(holder=f"h{n}", organizer_id="boss", name="Jazz", starts_in=timedelta(minutes=90))
    desk.world.order(event="new", holder="h4", organizer_id="boss", starts_in=timedelta(minutes=30))
    desk.world.deliver()
    assert desk.get(EVENT)["punctuality"]["p50"] < 100
    assert desk.get("/api/notifications/events/new")["punctuality"]["max"] < 100
