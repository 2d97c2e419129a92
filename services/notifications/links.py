"""The connections of one sending loop: opened when there is mail, kept, renewed, never more than allowed."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from services.notifications import metrics
from services.notifications.breaker import Breaker
from services.notifications.errors import MailServerAway
from services.notifications.mail.session import Session
from services.notifications.mail.smtp import open_session
from services.notifications.settings import MailSettings

log = structlog.get_logger(__name__)

IDLE_SECONDS = 20.0
# More than a sweep after the breaker's pause: a mail that is due would have been tried by then.
UNTRIED_SECONDS = 10.0


@dataclass(slots=True)
class Links:
    """Free and busy sessions; `changed` is called when one comes free or the relay is away."""

    settings: MailSettings
    context: ssl.SSLContext | None
    changed: Callable[[], None]
    breaker: Breaker = field(default_factory=Breaker)
    free: list[Session] = field(default_factory=list)
    busy: set[Session] = field(default_factory=set)
    allowed: float = 0.0
    _opening: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.allowed = float(self.settings.max_connections)

    def want(self, mails: int, untried: bool = False) -> None:
        """Opens connections until there is one for each of `mails`, or as many as are allowed."""
        now = asyncio.get_running_loop().time()
        have = len(self.free) + len(self._opening)
        wanted = min(mails, int(self.allowed) - len(self.busy))
        while have < wanted and self.breaker.allows(now):
            task = asyncio.create_task(self._open(untried))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
            have += 1

    @property
    def away(self) -> bool:
        """Whether no connection is there and none may be made now."""
        now = asyncio.get_running_loop().time()
        resting = not self.breaker.closed and now < self.breaker.open_until
        return resting and not self.free and not self.busy and not self._opening

    @property
    def some(self) -> bool:
        """Whether a connection is there or is being made."""
        return bool(self.free or self.busy or self._opening)

    async def _open(self, untried: bool) -> None:
        loop = asyncio.get_running_loop()
        try:
            session = await open_session(self.settings, self.context)
        except MailServerAway as error:
            self.failed(str(error))
        else:
            if untried or self.breaker.closed:
                metrics.mail_server_up.set(1)
            self.breaker.opened()
            self.free.append(session)
            self.changed()
        finally:
            if not self.breaker.closed:
                loop.call_later(max(0.0, self.breaker.open_until - loop.time()), self.changed)

    def failed(self, why: str) -> None:
        """A connection could not be made, or broke."""
        if self.breaker.failed(asyncio.get_running_loop().time()):
            metrics.mail_server_up.set(0)
            log.warning("delivery.mail_server_away", error=why, pause_seconds=self.breaker.pause)
        self.changed()

    def answered(self) -> None:
        """The relay answered a mail."""
        self.breaker.succeeded()
        metrics.mail_server_up.set(1)

    def slow(self) -> None:
        """Half as many connections; they come back one a second."""
        self.allowed = max(1.0, self.allowed / 2)

    @property
    def ready(self) -> bool:
        """Whether a mail could go out now."""
        return bool(self.free) and len(self.busy) < int(self.allowed)

    def give_back(self, session: Session) -> None:
        """It has no mail now; it is kept if it is still good."""
        self.busy.discard(session)
        if session.broken is None:
            self.free.append(session)

    def take(self, mails: int) -> list[Session]:
        """Up to so many free sessions, busy from now on; worn ones are closed."""
        now = asyncio.get_running_loop().time()
        spare = min(mails, int(self.allowed) - len(self.busy))
        taken: list[Session] = []
        while self.free and len(taken) < spare:
            session = self.free.pop()
            if session.broken is None and self.worn(session, now):
                session.close()
            elif session.broken is None:
                taken.append(session)
        self.busy.update(taken)
        return taken

    def worn(self, session: Session, now: float) -> bool:
        """Whether a session has had its mails or its time."""
        settings = self.settings
        return (
            session.mails >= settings.connection_mails
            or now - session.opened_at >= settings.connection_seconds
            or now - session.used_at >= IDLE_SECONDS
        )

    def watch(self) -> None:
        """Ends sessions whose answer does not come, and those that are idle; call it a few times a second."""
        now = asyncio.get_running_loop().time()
        for session in list(self.busy):
            if session.deadline is not None and now >= session.deadline:
                session.abort("no answer in time")
        for session in list(self.free):
            if session.broken is not None or self.worn(session, now):
                session.close()
                self.free.remove(session)
        if not self.breaker.closed and not self.some and now >= self.breaker.open_until + UNTRIED_SECONDS:
            # Nothing was due since: without this it would be said to be away until the next mail.
            self.want(1, untried=True)
        self.allowed = min(float(self.settings.max_connections), self.allowed + 0.25)

    async def close(self) -> None:
        """Says goodbye on all connections; what is still on the wire is broken off."""
        for task in list(self._opening):
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for session in self.free:
            session.close()
        for session in list(self.busy):
            session.abort("this process ends")
        self.free.clear()
