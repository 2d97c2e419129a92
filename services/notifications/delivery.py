"""The sending loop: plan, claim, render, send, record.

It goes in rounds of as many mails as there are connections. `sending` is committed for the whole round
before the first byte of DATA, and the results after it, so that a kill -9 leaves at most one mail for each
connection of which nobody knows whether it arrived. No transaction is open while SMTP talks.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.notifications import metrics, store, traces
from services.notifications.errors import MailServerAway
from services.notifications.mail.render import render
from services.notifications.model import Answer, Claim, decide
from services.notifications.planning import plan_due, rearm_all
from services.notifications.settings import ReminderSettings
from services.notifications.traces import Origin

log = structlog.get_logger(__name__)

ROUNDS_PER_CLAIM = 8
_PAUSE_LIMIT_SECONDS = 30.0


class MailConnection(Protocol):
    """One connection to a mail server: services.notifications.mail.smtp."""

    def open(self) -> None: ...

    def send(self, mail: EmailMessage, address: str) -> Answer: ...

    def close(self) -> None: ...


class DeliveryLoop:
    """Sends what is due until it is stopped. Woken from the outside; sweeps by itself every few seconds."""

    def __init__(
        self,
        engine: Engine,
        settings: ReminderSettings,
        sender: str,
        connections: Sequence[MailConnection],
        heartbeat: Path | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._sender = sender
        self._connections = connections
        self._heartbeat = heartbeat
        self._wake = threading.Event()
        self._stop_asked = threading.Event()
        self._pause = 0.0

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def stop(self) -> None:
        """Ends after the round in hand."""
        self._stop_asked.set()
        self._wake.set()

    def run(self) -> None:
        """Plans and sends until stopped; a database or mail server that is away is waited for."""
        with ThreadPoolExecutor(len(self._connections), thread_name_prefix="smtp") as pool:
            armed = False
            while not self._stop_asked.is_set():
                if self._heartbeat is not None:
                    self._heartbeat.touch()
                try:
                    if not armed:
                        self._arm()
                        armed = True
                    self.work_once(pool)
                except (DBAPIError, PoolTimeout) as error:
                    log.warning("delivery.database_away", error=str(error).strip())
                if self._pause:
                    self._stop_asked.wait(self._pause)
                else:
                    self._wake.wait(self._settings.sweep.total_seconds())
                self._wake.clear()
        for connection in self._connections:
            connection.close()

    def _arm(self) -> None:
        with self._engine.begin() as connection:
            now = store.database_now(connection, self._settings.clock_offset)
            rearm_all(connection, self._settings.lead, now)

    def work_once(self, pool: ThreadPoolExecutor) -> int:
        """Plans, recovers, and sends until nothing is due; returns how many mails were handed over."""
        plan_due(self._engine, self._settings.lead, self._settings.clock_offset)
        sent = 0
        while not self._stop_asked.is_set():
            claims = self._claim()
            if not claims:
                break
            handled = self._send_all(claims, pool)
            sent += handled
            if handled < len(claims):
                break
        return sent

    def _claim(self) -> list[Claim]:
        settings = self._settings
        with self._engine.begin() as connection:
            now = store.database_now(connection, settings.clock_offset)
            store.recover(connection, now, settings.resend_unknown)
            store.expire(connection, now)
            limit = len(self._connections) * ROUNDS_PER_CLAIM
            return store.claim(connection, now, settings.lease, limit)

    def _send_all(self, claims: Sequence[Claim], pool: ThreadPoolExecutor) -> int:
        """Sends claims in rounds; gives back what it cannot send now. Returns how many it dealt with."""
        done = 0
        while done < len(claims) and not self._stop_asked.is_set():
            ready = self._open_connections(len(claims) - done, pool)
            if not ready:
                break
            round_ = claims[done : done + len(ready)]
            self._send_round(round_, ready, pool)
            done += len(round_)
        rest = claims[done:]
        if rest:
            with self._engine.begin() as connection:
                store.release(connection, rest)
        return done

    def _open_connections(self, wanted: int, pool: ThreadPoolExecutor) -> list[MailConnection]:
        candidates = self._connections[:wanted]
        problems = list(pool.map(_try_open, candidates))
        ready = [c for c, problem in zip(candidates, problems, strict=True) if problem is None]
        metrics.mail_server_up.set(bool(ready))
        if ready:
            self._pause = 0.0
        else:
            self._pause = min(_PAUSE_LIMIT_SECONDS, self._pause * 2 or 1.0)
            log.warning("delivery.mail_server_away", error=problems[0], pause_seconds=self._pause)
        return ready

    def _send_round(
        self, claims: Sequence[Claim], connections: Sequence[MailConnection], pool: ThreadPoolExecutor
    ) -> None:
        mails = [_compose(claim, self._sender) for claim in claims]
        with self._engine.begin() as connection:
            now = store.database_now(connection, self._settings.clock_offset)
            mine = store.mark_sending(connection, claims, now, self._settings.lease)
            origins = traces.origins(connection, claims)
        work = [
            (claim, mail, link)
            for claim, mail, link in zip(claims, mails, connections, strict=False)
            if claim.id in mine
        ]
        answers = list(pool.map(lambda one: _hand_over(one, origins.get(one[0].id)), work))
        self._record([claim for claim, _, _ in work], answers)

    def _record(self, claims: Sequence[Claim], answers: Sequence[Answer]) -> None:
        settings = self._settings
        with self._engine.begin() as connection:
            now = store.database_now(connection, settings.clock_offset)
            outcomes = []
            for claim, answer in zip(claims, answers, strict=True):
                result = decide(answer, claim, now, settings.max_attempts, settings.resend_unknown)
                kept = store.record(connection, claim, result, now)
                outcomes.append((claim, result, kept))
                log.info(
                    "delivery.result",
                    delivery=claim.id,
                    event_id=claim.event_id,
                    state=result.state if kept else "fenced",
                    code=answer.code,
                    answer=answer.text[:200],
                )
            metrics.observe(connection, outcomes)


def _try_open(connection: MailConnection) -> str | None:
    try:
        connection.open()
    except MailServerAway as error:
        return str(error)
    return None


def _compose(claim: Claim, sender: str) -> EmailMessage | str:
    """The mail, or why there can be none: one bad address must not stop the round."""
    try:
        return render(claim, sender)
    except (ValueError, LookupError) as error:
        return f"the mail cannot be written: {error}"


def _hand_over(work: tuple[Claim, EmailMessage | str, MailConnection], origin: Origin | None) -> Answer:
    claim, mail, connection = work
    if isinstance(mail, str):
        return Answer(550, mail)
    with traces.handing_over(claim, origin) as answers:
        answers.append(connection.send(mail, claim.address))
    return answers[0]


def run_until_dead(loop: DeliveryLoop, on_death: Callable[[], None]) -> threading.Thread:
    """Runs the loop in a thread; whatever ends it, `on_death` is called, so that no process lives on idle."""

    def run() -> None:
        try:
            loop.run()
        finally:
            on_death()

    thread = threading.Thread(target=run, name="delivery", daemon=True)
    thread.start()
    return thread
