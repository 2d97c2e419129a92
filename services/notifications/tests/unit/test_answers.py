"""What follows from each class of a mail server's answers."""

import pytest

from services.notifications.answers import Strain, enhanced_code, strain
from services.notifications.model import Answer, State
from services.notifications.tests.unit.test_model import NOW, follows

NOTHING = (False, False)


@pytest.mark.parametrize(
    ("code", "text", "load", "state", "others"),
    [
        (250, "2.0.0 Ok: queued", Strain.NONE, State.ACCEPTED, NOTHING),
        (421, "4.3.2 shutting down", Strain.CLOSE, State.RETRY, NOTHING),
        (450, "4.2.1 mailbox busy", Strain.NONE, State.RETRY, NOTHING),
        (451, "4.7.1 greylisted, come back", Strain.NONE, State.RETRY, NOTHING),
        (452, "4.2.2 mailbox full", Strain.NONE, State.RETRY, NOTHING),
        (454, "4.7.0 not now", Strain.SLOW, State.RETRY, NOTHING),
        (450, "4.7.28 sending rate exceeded", Strain.SLOW, State.RETRY, NOTHING),
        (451, "too many messages, slow down", Strain.SLOW, State.RETRY, NOTHING),
        (452, "4.5.3 too many recipients", Strain.SLOW, State.RETRY, NOTHING),
        (451, "Throttled by policy", Strain.SLOW, State.RETRY, NOTHING),
        (550, "no such user here", Strain.NONE, State.FAILED, NOTHING),
        (552, "5.2.2 mailbox full", Strain.NONE, State.FAILED, NOTHING),
        (554, "5.3.4 too fast a connection rate", Strain.NONE, State.FAILED, NOTHING),
        (550, "5.1.1 unknown user", Strain.NONE, State.FAILED, (True, False)),
        (553, "5.1.3 bad address", Strain.NONE, State.FAILED, (True, False)),
        (550, "5.7.1 blocked by policy", Strain.NONE, State.FAILED, (False, True)),
        (550, "5.10.1 null MX", Strain.NONE, State.FAILED, NOTHING),
        (550, "blocked, see 5.7.1", Strain.NONE, State.FAILED, NOTHING),
    ],
)
def test_each_class_of_answers_has_its_consequence(
    code: int, text: str, load: Strain, state: State, others: tuple[bool, bool]
) -> None:
    result = follows(Answer(code, text))
    assert strain(Answer(code, text)) is load
    assert (result.state, (result.suppress, result.pause)) == (state, others)
    assert (result.next_attempt_at is not None) == (state == State.RETRY)


def test_a_connection_lost_before_the_dot_is_tried_again_and_after_it_nobody_knows() -> None:
    assert follows(Answer(450, "lost", lost=True), resend=False).state == State.RETRY
    assert follows(Answer(0, "lost after the dot"), resend=False).state == State.UNKNOWN
    assert follows(Answer(0, "lost after the dot"), resend=True).state == State.RETRY


def test_a_kept_connection_that_was_dead_costs_no_wait() -> None:
    result = follows(Answer(450, "gone", lost=True, untried=True))
    assert (result.state, result.next_attempt_at) == (State.RETRY, NOW)


def test_only_what_stands_at_the_beginning_is_an_enhanced_code() -> None:
    assert enhanced_code(Answer(550, "5.1.1 unknown")) == "5.1.1"
    assert enhanced_code(Answer(550, "see 5.1.1")) == ""
