"""The transactions of the sending loop, each short and none open while SMTP talks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection, Engine

from services.notifications import leases, metrics, store, suppression, traces
from services.notifications.answers import decide
from services.notifications.leases import Place, Taken
from services.notifications.model import Answer, Claim, Result, State
from services.notifications.planning import confirm_orders, plan_due
from services.notifications.schedules import rearm_defaults
from services.notifications.settings import ReminderSettings
from services.notifications.traces import Talk

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

    def plan(self) -> None:
        """Takes back what dead workers left, gives up what is too late, and expands what is due."""
        for sweep in (self._recover, self._expire):
            while sweep() >= leases.SWEEP_BATCH:
                pass
        plan_due(self.engine, self.settings)

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

    def turn(self, finished: Sequence[Finished], claims: Sequence[Claim]) -> set[int]:
        """One commit: what the last round's mails became, and `sending` for the next ones.

        Returns the ids that may be sent. Doing it again after an error does nothing twice.
        """
        if all(answer.accepted for _, answer in finished):
            return self._smooth_turn(finished, claims)
        with self.engine.begin() as connection:
            now = store.database_now(connection, self.settings.clock_offset)
            outcomes, kept = self._record(connection, finished, now)
            mine = leases.mark_sending(connection, claims, now, self.settings.lease) if claims else set()
        metrics.observe(outcomes, kept)
        return mine

    def _smooth_turn(self, finished: Sequence[Finished], claims: Sequence[Claim]) -> set[int]:
        settings = self.settings
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            kept, mine = leases.accept_and_mark(
                connection, finished, claims, settings.clock_offset, settings.lease
            )
        if len(kept) < len(finished):
            log.warning("delivery.fenced", deliveries=[c.id for c, _ in finished if c.id not in kept])
        log.info("delivery.round", accepted=len(kept), sending=len(mine))
        metrics.observe([(claim, answer, State.ACCEPTED) for claim, answer in finished], kept)
        return mine

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
        log.info("delivery.round", mails=len(results), accepted=_accepted(results))
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


def _accepted(results: Sequence[tuple[Claim, Result]]) -> int:
    return sum(result.state is State.ACCEPTED for _, result in results)


def _tell(claim: Claim, result: Result, kept: bool) -> None:
    log.info(
        "delivery.result",
        delivery=claim.id,
        event_id=claim.event_id,
        state=result.state if kept else "fenced",
        code=result.answer.code,
        answer=result.answer.text[:200],
    )
