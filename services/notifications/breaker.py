"""The circuit breaker of the mail relay; pure, times are seconds of one monotonic clock."""

from dataclasses import dataclass

THRESHOLD = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


@dataclass(slots=True)
class Breaker:
    """Closed until THRESHOLD failures came in a row; then open for 1, 2, 4 .. 30 s, after each one probe.

    A failure is a connection that cannot be made or breaks, or a 421. Half-open is one probe at a time.
    """

    failures: int = 0
    pause: float = 0.0
    open_until: float = 0.0
    probing: bool = False

    @property
    def closed(self) -> bool:
        return self.failures < THRESHOLD

    def allows(self, now: float) -> bool:
        """Whether a connection may be made now; after a pause this takes the one probe."""
        if self.closed:
            return True
        if self.probing or now < self.open_until:
            return False
        self.probing = True
        return True

    def opened(self) -> None:
        """A connection was made. One more failure opens the breaker again until a mail was answered."""
        self.probing = False
        self.failures = min(self.failures, THRESHOLD - 1)

    def succeeded(self) -> None:
        """The relay answered a mail."""
        self.failures, self.pause, self.probing = 0, 0.0, False

    def failed(self, now: float) -> bool:
        """The relay is away or wants nothing; True if that opened the breaker."""
        self.failures += 1
        if self.closed or (now < self.open_until and not self.probing):
            return False
        self.probing = False
        self.pause = min(_LONGEST_PAUSE, self.pause * 2 or _FIRST_PAUSE)
        self.open_until = now + self.pause
        return True
