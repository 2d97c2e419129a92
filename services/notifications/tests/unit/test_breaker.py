"""The breaker of the mail relay: when it lets a connection be made, and when it does not."""

from services.notifications.breaker import THRESHOLD, Breaker


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(THRESHOLD):
        breaker.failed(now)
    return breaker


def test_it_stays_closed_until_failures_come_in_a_row() -> None:
    breaker = Breaker()
    for _ in range(THRESHOLD - 1):
        assert not breaker.failed(0.0)
    assert breaker.closed
    breaker.succeeded()
    for _ in range(THRESHOLD - 1):
        breaker.failed(0.0)
    assert breaker.allows(0.0)
    assert breaker.failed(0.0)
    assert not breaker.allows(0.0)


def test_after_the_pause_one_probe_is_allowed_and_no_second() -> None:
    breaker = opened(now=10.0)
    assert not breaker.allows(10.9)
    assert breaker.allows(11.0)
    assert not breaker.allows(11.0)


def test_a_failed_probe_doubles_the_pause_up_to_half_a_minute() -> None:
    breaker, now, pauses = opened(), 0.0, []
    for _ in range(7):
        pauses.append(breaker.open_until - now)
        now = breaker.open_until
        assert breaker.allows(now)
        assert breaker.failed(now)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_a_connection_alone_does_not_close_it_for_good() -> None:
    breaker = opened()
    assert breaker.allows(1.0)
    breaker.opened()
    assert breaker.closed
    assert breaker.failed(1.0), "one more failure, before any mail was answered, opens it again"
    assert breaker.open_until == 3.0


def test_an_answered_mail_closes_it_and_the_next_pause_is_a_short_one() -> None:
    breaker = opened()
    assert breaker.allows(1.0)
    breaker.failed(1.0)
    assert breaker.allows(3.0)
    breaker.opened()
    breaker.succeeded()
    for _ in range(THRESHOLD):
        breaker.failed(100.0)
    assert breaker.open_until == 101.0


def test_failures_of_connections_that_were_open_already_do_not_lengthen_the_pause() -> None:
    breaker = opened()
    assert not breaker.failed(0.5)
    assert breaker.open_until == 1.0
