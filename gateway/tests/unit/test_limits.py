from gateway.limits import RateLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_attempt_after_the_last_allowed_one_waits() -> None:
    limiter = RateLimiter(2, Clock())
    assert [limiter.wait_seconds("a") for _ in range(3)] == [0, 0, 30]


def test_waiting_as_long_as_told_is_enough() -> None:
    clock = Clock()
    limiter = RateLimiter(1, clock)
    limiter.wait_seconds("a")
    clock.now += limiter.wait_seconds("a")
    assert limiter.wait_seconds("a") == 0


def test_one_client_does_not_use_up_the_attempts_of_another() -> None:
    limiter = RateLimiter(1, Clock())
    assert limiter.wait_seconds("192.0.2.1") == 0
    assert limiter.wait_seconds("192.0.2.2") == 0


def test_addresses_of_one_ipv6_network_share_their_attempts() -> None:
    limiter = RateLimiter(1, Clock())
    assert limiter.wait_seconds("2001:db8::1") == 0
    assert limiter.wait_seconds("2001:db8::2") > 0
    assert limiter.wait_seconds("2001:db8:0:1::1") == 0


def test_the_number_of_remembered_addresses_is_bounded() -> None:
    limiter = RateLimiter(1, Clock(), capacity=3)
    for number in range(100):
        limiter.wait_seconds(f"client-{number}")
    assert len(limiter) == 3
    assert limiter.wait_seconds("client-99") > 0
