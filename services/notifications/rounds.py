"""The transactions of the sending loop, each short and none open while SMTP talks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection, Engine

from services.notifications import leases, metrics, store, suppression, traces
from services.notifications.answers import decide
from services.notifications.leases import Place, Taken
from services.notifications.model import Answer, Claim, Result, State
from services.notifications.planning import confirm_orders, plan_due
from services.notifications.schedules import next_due, rearm_defaults
from services.notifications.settings import ReminderSettings
from services.notifications.traces import Talk
from services.notifications.turns import Turns

log = structlog.get_logger(__name__)

Finished = tuple[Claim, Answer]


@dataclass(frozen=True, slots=True)
class Rounds:
    """What the loop does with the database; every call blocks and may raise what the database raises."""

    engine: Engine
    settings: ReminderSettings

    def arm(self) -> None:
        """Arms the coming events for today's lead time."""
        with self.engine.begin() as connection:
            now = store.database_now(connection, self.settings.clock_offset)
            rearm_defaults(connection, self.settings.lead, now)

    def plan(self, on_step: Callable[[], None]) -> float:
        """Takes back what dead workers left, gives up what is too late, and expands what is due.

        `on_step` is called when there may be more to send, long before the last of a million is planned.
        Returns in how many seconds to do it again: at the next sweep, or when the next schedule is due.
        """
        for sweep in (self._recover, self._expire):
            while sweep() >= leases.SWEEP_BATCH:
                pass
        on_step()
        plan_due(self.engine, self.settings, on_step)
        with self.engine.connect() as connection:
            now = store.database_now(connection, self.settings.clock_offset)
            due = next_due(connection, now)
        return min(self.settings.sweep, due - now if due else self.settings.sweep).total_seconds()

    def _recover(self) -> int:
        with self.engine.begin() as connection:
            now = store.database_now(connection, self.settings.clock_offset)
            return leases.recover(connection, now, self.settings.resend_unknown)

    def _expire(self) -> int:
        offset = self.settings.clock_offset
        with self.engine.begin() as connection:
            given_up = leases.expire(connection, store.database_now(connection, offset))
            confirm_orders(connection, [ticket for ticket in given_up if ticket], offset)
        return len(given_up)

    def claim(self, limit: int, after: Place | None) -> Taken:
        """Takes what is due."""
        with self.engine.begin() as connection:
            now = store.database_now(connection, self.settings.clock_offset)
            return leases.claim(connection, now, self.settings.lease, limit, after)

    def turns(self) -> Turns:
        """What one line of smooth turns works with."""
        return Turns(self.engine, self.settings)

    def turn(self, finished: Sequence[Finished], claims: Sequence[Claim]) -> set[int]:
        """One commit: what the last round's mails became, and `sending` for the next ones.

        Returns the ids that may be sent. Doing it again after an error does nothing twice.
        """
        with self.engine.begin() as connection:
            now = store.database_now(connection, self.settings.clock_offset)
            outcomes, kept = self._record(connection, finished, now)
            mine = leases.mark_sending(connection, claims, now, self.settings.lease) if claims else set()
        metrics.observe(outcomes, kept)
        return mine

    def smooth_turn(
        self, turns: Turns, accepted: Sequence[Finished], limit: int, after: Place | None
    ) -> Taken:
        """One commit: what was accepted, and `sending` for up to `limit` deliveries that are due."""
        kept, taken = turns.take(accepted, limit, after)
        if len(kept) < len(accepted):
            log.warning("delivery.fenced", deliveries=[c.id for c, _ in accepted if c.id not in kept])
        if accepted:
            _tell_accepted([claim for claim, _ in accepted if claim.id in kept])
            metrics.observe_accepted(len(accepted), kept)
        return taken

    def _record(
        self, connection: Connection, finished: Sequence[Finished], now: datetime
    ) -> tuple[list[tuple[Claim, Answer, State]], dict[int, float | None]]:
        settings = self.settings
        results = [
            (claim, decide(answer, claim, now, settings.max_attempts, settings.resend_unknown))
            for claim, answer in finished
        ]
        kept = leases.record(connection, results, now)
        refused = [(c.address, r.answer.text) for c, r in results if r.suppress and c.id in kept]
        for address, said in refused:
            suppression.suppress_address(connection, address, suppression.HARD_REFUSAL, said, now)
        for claim, result in results:
            if result.pause and claim.id in kept:
                reason = f"{result.answer.code} {result.answer.text}"
                until = now + settings.pause
                leases.pause_campaign(connection, claim.event_id, claim.kind, reason, now, until)
                log.warning(
                    "delivery.campaign_paused",
                    event_id=claim.event_id,
                    kind=claim.kind,
                    until=until.isoformat(),
                    answer=reason[:200],
                )
            if result.state is not State.ACCEPTED or claim.id not in kept:
                _tell(claim, result, claim.id in kept)
        if accepted := [c for c, result in results if result.state is State.ACCEPTED and c.id in kept]:
            _tell_accepted(accepted)
        return [(claim, result.answer, result.state) for claim, result in results], kept

    def trace(self, talks: Sequence[Talk]) -> None:
        """Tells the traces of talks with the mail server that are over."""
        with self.engine.connect() as connection:
            traces.tell(connection, talks)

    def renew(self, claims: Sequence[Claim]) -> None:
        """Holds on to what is in hand or on the wire."""
        with self.engine.begin() as connection:
            now = store.database_now(connection, self.settings.clock_offset)
            leases.renew(connection, claims, now, self.settings.lease)

    def release(self, claims: Sequence[Claim]) -> None:
        """Gives back what will not be sent now."""
        with self.engine.begin() as connection:
            leases.release(connection, claims)


def _tell_accepted(claims: Sequence[Claim]) -> None:
    """One line for many mails, which leads to each of them."""
    deliveries = [claim.id for claim in claims]
    log.info("delivery.round", deliveries=deliveries, events=sorted({claim.event_id for claim in claims}))


def _tell(claim: Claim, result: Result, kept: bool) -> None:
    log.info(
        "delivery.result",
        delivery=claim.id,
        event_id=claim.event_id,
        state=result.state if kept else "fenced",
        code=result.answer.code,
        answer=result.answer.text[:200],
    )
