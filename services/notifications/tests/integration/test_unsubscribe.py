"""People end their reminders by one click; addresses that refuse hard get nothing at all."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.notifications.recipients import UNREACHABLE, UNSUBSCRIBED
from services.notifications.suppression import HARD_REFUSAL
from services.notifications.tests.integration.conftest import Desk
from shared.testing import example

DAY = timedelta(days=1)
LIST = "/api/notifications/suppressions/"


def unsubscribe_path(mail) -> str:
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return re.fullmatch(
        r"<http://127\.0\.0\.1:8000(/unsubscribe/[A-Za-z0-9_.-]+)>", mail["List-Unsubscribe"]
    )[1]


def reminded(desk: Desk) -> str:
    """The path of the link in a reminder of `boss`."""
    desk.world.order(organizer_id="boss", starts_in=timedelta(hours=1))
    desk.world.deliver()
    return unsubscribe_path(desk.world.server.mails[0])


def test_one_click_ends_the_reminders_of_an_organizer_but_not_the_notices(desk: Desk) -> None:
    path = reminded(desk)
    answer = desk.client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    message = desk.world.order(event="e2", organizer_id="boss", starts_in=timedelta(hours=2))
    desk.world.order(event="e3", organizer_id="other", starts_in=timedelta(hours=2))
    desk.world.deliver()
    assert len(desk.world.reminders()) == 2
    desk.world.change(message, 2, location="Place B")
    desk.world.later(timedelta(seconds=61))
    desk.world.deliver()
    desk.world.change(message, 3, "event.cancelled", location="Place B")
    desk.world.deliver()
    for notice, says in zip(desk.world.server.mails[-2:], ("Moved:", "Cancelled:"), strict=True):
        assert notice["Subject"].startswith(says)
        assert notice["List-Unsubscribe"] is None


def test_looking_at_the_page_changes_nothing(desk: Desk) -> None:
    path = reminded(desk)
    for _ in range(2):
        answer = desk.client.get(path)
        assert answer.headers["content-type"].startswith("text/html")
        assert "No more reminders at all" in answer.text
    desk.world.order(event="e2", organizer_id="boss", starts_in=timedelta(hours=1))
    desk.world.deliver()
    assert len(desk.world.reminders()) == 2


def test_all_reminders_can_be_ended_and_had_again(desk: Desk) -> None:
    path = reminded(desk)
    assert "no more reminders." in desk.client.post(path, data={"wanted": "all"}).text
    desk.world.order(event="e3", organizer_id="other", starts_in=timedelta(hours=3))
    desk.world.later(timedelta(hours=1))
    desk.world.deliver()
    assert desk.world.story()[-1][2:] == ("suppressed", UNSUBSCRIBED)
    assert "You get reminders" in desk.client.post(path, data={"wanted": "none"}).text
    desk.world.deliver()
    assert len(desk.world.reminders()) == 2


def test_who_wants_no_reminders_still_gets_his_order_confirmed_inside_the_lead_time(desk: Desk) -> None:
    desk.client.post(reminded(desk), data={"wanted": "all"})
    desk.world.settings = replace(desk.world.settings, confirm_orders=True)
    desk.world.order(event="e2", starts_in=timedelta(hours=1))
    desk.world.deliver()
    assert desk.world.subjects()[-1].startswith("Your ticket for")


def test_who_unsubscribes_before_his_order_was_confirmed_gets_a_plain_confirmation(desk: Desk) -> None:
    path = reminded(desk)
    desk.world.settings = replace(desk.world.settings, confirm_orders=True)
    desk.world.server.answers["h1@dicoevent.example"] = "451 later"
    desk.world.order(event="e2", organizer_id="boss", starts_in=timedelta(hours=1))
    desk.world.deliver()
    assert desk.world.story()[-1][2] == "retry"
    desk.world.order(event="e3", organizer_id="boss", starts_in=timedelta(hours=1))
    desk.client.post(path, data={"List-Unsubscribe": "One-Click"})
    desk.world.server.answers.clear()
    desk.world.server.mails.clear()
    desk.world.deliver()
    assert desk.world.subjects() == ["Your ticket for Malam Jazz di Kota Tua"] * 2
    desk.client.post(path, data={"wanted": "none"})
    desk.world.deliver()
    for mail in desk.world.reminders():
        assert "Your order is confirmed" not in mail.get_body(("plain",)).get_content()


@pytest.mark.parametrize("wanted", ["all", "this"])
def test_unsubscribing_confirms_nothing_twice_and_nothing_that_needs_no_confirmation(
    desk: Desk, wanted: str
) -> None:
    path = reminded(desk)
    desk.world.order(event="e2", organizer_id="boss", starts_in=timedelta(hours=1))
    desk.client.post(path, data={"wanted": wanted})
    desk.world.deliver()
    assert len(desk.world.subjects()) == 1


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: "x" + t, lambda t: t + "A", lambda t: "a.b"])
def test_a_link_that_we_did_not_make_does_nothing(desk: Desk, change) -> None:
    folder, _, token = reminded(desk).rpartition("/")
    for answer in (
        desk.client.get(f"{folder}/{change(token)}"),
        desk.client.post(f"{folder}/{change(token)}"),
    ):
        assert answer.status_code == 404
        assert "text/html" in answer.headers["content-type"]


def test_a_hard_refusal_puts_the_address_on_the_list_and_nothing_more_is_tried(desk: Desk) -> None:
    desk.world.server.answers["h1@dicoevent.example"] = "550 5.1.1 no such user"
    message = desk.world.order(starts_in=timedelta(hours=1))
    desk.world.order(event="e2", starts_in=timedelta(hours=3))
    desk.world.deliver()
    [listed] = desk.get(LIST)["suppressions"]
    assert (listed["address"], listed["reason"]) == ("h1@dicoevent.example", HARD_REFUSAL)
    assert "no such user" in listed["detail"]
    desk.world.server.answers.clear()
    desk.world.change(message, 2, "event.cancelled")
    desk.world.later(timedelta(hours=1))
    desk.world.deliver()
    assert desk.world.server.mails == []
    assert desk.world.story()[1:] == [
        ("cancelled", 0, "suppressed", UNREACHABLE),
        ("reminder", 120, "suppressed", UNREACHABLE),
    ]


def test_the_list_is_added_to_and_taken_from(desk: Desk) -> None:
    desk.world.order(starts_in=timedelta(hours=3))
    desk.world.later(timedelta(hours=1))
    wanted = {"address": "H1@dicoevent.example", "reason": "asked by phone"}
    made = desk.post(LIST, wanted, status=201)
    assert (made["address"], made["reason"]) == ("h1@dicoevent.example", "asked by phone")
    assert desk.post(LIST, {**wanted, "reason": "again"}, status=201)["reason"] == "asked by phone"
    desk.world.deliver()
    assert desk.world.story() == [("reminder", 120, "suppressed", UNREACHABLE)]
    path = f"{LIST}h1@dicoevent.example/"
    assert desk.client.delete(path, headers=desk.admin).status_code == 204
    assert desk.client.delete(path, headers=desk.admin).status_code == 404
    desk.world.deliver()
    assert len(desk.world.reminders()) == 1


def test_the_list_is_for_admins_and_paged(desk: Desk) -> None:
    for n in range(5):
        desk.post(LIST, {"address": f"p{n}@dicoevent.example"}, status=201)
    first = desk.get(LIST, page_size=2)
    assert [s["address"][:2] for s in first["suppressions"]] == ["p4", "p3"]
    second = desk.get(LIST, page_size=2, cursor=first["pagination"]["next_cursor"])
    assert [s["address"][:2] for s in second["suppressions"]] == ["p2", "p1"]
    assert desk.get(LIST, page_size=2, page=3)["suppressions"][0]["address"].startswith("p0")
    for who in (desk.organizer, desk.user):
        assert desk.client.get(LIST, headers=who).status_code == 403
    assert desk.client.post(LIST, json={"address": "no address"}, headers=desk.admin).status_code == 400


def test_a_new_address_gets_what_the_old_one_could_not(desk: Desk) -> None:
    desk.world.order(starts_in=timedelta(hours=3))
    desk.post(LIST, {"address": "h1@dicoevent.example"}, status=201)
    desk.world.later(timedelta(hours=1))
    desk.world.deliver()
    moved = example("user.updated", sequence=5)
    moved["data"].update(id="h1", version=5, email="new@dicoevent.example")
    desk.world.receive(moved)
    desk.world.deliver()
    assert desk.world.server.addresses() == ["new@dicoevent.example"]


def test_of_a_deleted_persons_address_only_a_hash_is_kept_and_it_still_counts(desk: Desk) -> None:
    desk.world.order(starts_in=timedelta(hours=3))
    desk.post(LIST, {"address": "h1@dicoevent.example"}, status=201)
    gone = example("user.deleted", sequence=9)
    gone["data"] = {"id": "h1"}
    desk.world.receive(gone)
    [listed] = desk.get(LIST)["suppressions"]
    assert listed["address"].startswith("sha256:")
    message = example("ticket.ordered")
    message["data"]["event"].update(id="e1", version=1, starts_at=(desk.world.now() + DAY / 24).isoformat())
    message["data"]["holder"].update(id="h1-again", email="h1@dicoevent.example")
    desk.world.receive(message)
    desk.world.deliver()
    assert desk.world.server.mails == []
    with desk.world.engine.connect() as connection:
        for table in ("suppressions", "unsubscribes", "delivery_attempts", "deliveries"):
            query = f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%h1@dicoevent%'"
            assert connection.scalar(sa.text(query)) == 0, table
