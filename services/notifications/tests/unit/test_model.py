"""What follows from an answer, and what is due when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.notifications.answers import backoff, decide
from services.notifications.errors import EventOver
from services.notifications.model import Answer, Claim, EventFacts, Kind, Result, State
from services.notifications.schedule import due_at, kind_of_run, remaining_minutes

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
LEAD = timedelta(hours=2)
CLAIM = Claim(
    id=7,
    fence=1,
    event_id="e",
    holder_id="h",
    kind="reminder",
    starts_at=NOW + LEAD,
    composed_at=NOW,
    address="h@dicoevent.example",
    name="Sari",
    locale="en",
    event_name="Jazz",
    location="Kota Tua",
    timezone="Asia/Jakarta",
    attempts=0,
)
EVENT = EventFacts("e", 1, "Jazz", "Kota Tua", "Asia/Jakarta", NOW + LEAD, "scheduled")


def follows(answer: Answer, claim: Claim = CLAIM, resend: bool = True) -> Result:
    return decide(answer, claim, NOW, max_attempts=3, resend_unknown=resend)


def test_an_accepted_mail_is_done() -> None:
    assert follows(Answer(250, "ok")).state == State.ACCEPTED


def test_a_permanent_refusal_is_never_tried_again() -> None:
    assert follows(Answer(550, "no such user")).state == State.FAILED


@pytest.mark.parametrize(
    ("said", "suppressed"),
    [
        ("5.1.1 no such user", True),
        ("5.1.2 no such host", True),
        ("5.1.3 bad syntax", True),
        ("5.1.6 moved away", True),
        ("5.1.10 null MX", True),
        ("5.1.0 sender rejected", False),
        ("5.1.7 bad sender syntax", False),
        ("5.1.8 sender's domain not found", False),
        ("5.2.1 mailbox disabled", False),
        ("5.7.1 policy", False),
        ("no code at all 5.1.1", False),
    ],
)
def test_an_address_that_is_none_is_suppressed_and_never_for_what_is_wrong_with_ours(
    said: str, suppressed: bool
) -> None:
    assert follows(Answer(550, said)).suppress == suppressed


def test_a_passing_refusal_is_tried_again_later() -> None:
    result = follows(Answer(451, "greylisted"))
    assert result.state == State.RETRY
    assert result.next_attempt_at is not None
    assert result.next_attempt_at > NOW


def test_retries_end_with_the_last_attempt() -> None:
    assert follows(Answer(451, "later"), replace(CLAIM, attempts=2)).state == State.FAILED


def test_retries_end_with_the_start_of_the_event() -> None:
    soon = replace(CLAIM, starts_at=NOW + timedelta(seconds=3))
    assert follows(Answer(451, "later"), soon).state == State.EXPIRED


@pytest.mark.parametrize(("resend", "state"), [(True, State.RETRY), (False, State.UNKNOWN)])
def test_what_follows_an_unknown_outcome_is_the_operators_choice(resend: bool, state: State) -> None:
    assert follows(Answer(0, "broke"), resend=resend).state == state


def test_retries_come_after_about_1_2_5_10_and_20_minutes_and_spread() -> None:
    for attempt, minutes in enumerate((1, 2, 5, 10, 20, 20), 1):
        pauses = {backoff(attempt, claim).total_seconds() / 60 for claim in range(100)}
        assert minutes <= min(pauses) < max(pauses) < minutes * 1.25
        assert len(pauses) > 50


def test_a_run_inside_the_lead_time_is_the_reminder_itself() -> None:
    assert kind_of_run(EVENT, [LEAD], NOW) == Kind.REMINDER


def test_a_run_before_that_is_by_hand() -> None:
    assert kind_of_run(EVENT, [LEAD], NOW - timedelta(seconds=1)) == Kind.MANUAL


@pytest.mark.parametrize(
    "event",
    [
        replace(EVENT, starts_at=NOW),
        replace(EVENT, status="cancelled"),
        replace(EVENT, status="draft"),
        replace(EVENT, deleted=True),
    ],
)
def test_nobody_is_reminded_of_what_is_over_or_off(event: EventFacts) -> None:
    with pytest.raises(EventOver):
        kind_of_run(event, [LEAD], NOW)


def test_a_reminder_is_due_the_lead_time_before_the_start() -> None:
    assert due_at(EVENT.starts_at, LEAD) == NOW


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(7200, 120), (7141, 120), (7140, 119), (1, 1), (0, 0), (-5, 0)]
)
def test_remaining_time_is_rounded_up_to_minutes(seconds: int, minutes: int) -> None:
    assert remaining_minutes(NOW + timedelta(seconds=seconds), NOW) == minutes
