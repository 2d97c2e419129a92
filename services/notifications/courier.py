"""The sending loop: claim, compose, send, record.

As many mails are on the wire as there are connections, at most one on each. A turn is one commit: it records
what the last mails of some connections became and makes `sending` durable for the next mail of each of the
same connections; nothing is marked that has to wait behind another mail. Two turns alternate, so that the
database works while SMTP talks. What is due goes from `pending` to `sending` at once; `claimed` is for what
has to wait for a connection. A kill -9 leaves at most one mail for each open connection of which nobody
knows whether it arrived.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.notifications.answers import Strain, strain
from services.notifications.front import Front
from services.notifications.links import Links
from services.notifications.mail.compose import Composer
from services.notifications.mail.render import LinkBase
from services.notifications.mail.session import Session
from services.notifications.mail.smtp import hand_over, make_context
from services.notifications.model import Answer, Claim
from services.notifications.rate import RateGate
from services.notifications.rounds import Rounds
from services.notifications.settings import MailSettings, ReminderSettings
from services.notifications.traces import Talks
from services.notifications.turns import Turns
from shared.database import is_transient

log = structlog.get_logger(__name__)
T = TypeVar("T")

TURNS = 2
# A turn waits this long for more connections to come free: one commit for many is what makes it fast.
LINGER_SECONDS = 0.003
# How long after the rate was used up it is asked for again.
THROTTLED_SECONDS = 0.05
WATCH_SECONDS = 0.25
DATABASE_PAUSE_SECONDS = 0.5


class Courier:
    """The loop's state; lives in one event loop, the database in threads beside it."""

    def __init__(
        self,
        rounds: Rounds,
        settings: ReminderSettings,
        mail: MailSettings,
        gate: RateGate,
        heartbeat: Path | None,
    ) -> None:
        self._rounds = rounds
        self._settings = settings
        self._mail = mail
        self._gate = gate
        self._heartbeat = heartbeat
        self._composer = Composer(mail.sender, LinkBase(mail.public_url, mail.link_secret))
        self._links = Links(mail, make_context(mail), self._changed)
        self._threads = ThreadPoolExecutor(TURNS + 2, thread_name_prefix="database")
        self._news = asyncio.Event()
        self._plan_now = asyncio.Event()
        self._hand: deque[Claim] = deque()
        self._on_wire: dict[Session, Claim] = {}
        self._finished: list[tuple[Session, Claim, Answer]] = []
        self._talks = Talks()
        self._turns = [rounds.turns() for _ in range(TURNS)]
        self._turning = 0
        self._throttled_until = 0.0
        self._front = Front()
        self._planned = False
        self._stopping = False
        self._answered = 0

    # -- from outside --------------------------------------------------------------------------------------

    def wake(self) -> None:
        """There may be something to do."""
        self._plan_now.set()

    def stop(self) -> None:
        """Begins the orderly end."""
        self._stopping = True
        self._plan_now.set()
        self._changed()

    def _changed(self) -> None:
        self._news.set()

    async def run(self, once: bool) -> int:
        """Until stopped, or with `once` until nothing is left to do now."""
        tasks = [asyncio.create_task(self._plan(once)), asyncio.create_task(self._claim())]
        tasks += [asyncio.create_task(self._turn(turns)) for turns in self._turns]
        tasks += [asyncio.create_task(self._watch()), asyncio.create_task(self._hold())]
        end = asyncio.create_task(self._until_done(once))
        try:
            done, _ = await asyncio.wait([end, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a part that broke takes the process down, to be started anew
            await self._finish(tasks)
        finally:
            for task in (end, *tasks):
                task.cancel()
            await asyncio.gather(end, *tasks, return_exceptions=True)
            await self._links.close()
            self._threads.shutdown(wait=True)
            for turns in self._turns:
                turns.close()
        return self._answered

    async def _until_done(self, once: bool) -> None:
        while not self._stopping:
            idle = not self._on_wire and not self._finished and not self._turning and not self._hand
            if once and self._planned and idle and (self._front.dry or self._links.away):
                return
            await asyncio.sleep(0.005 if once else 0.1)

    async def _finish(self, tasks: list[asyncio.Task]) -> None:
        """Waits for what is on the wire, records it, and gives back what is in hand."""
        self._stopping = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.grace.total_seconds()
        self._changed()
        while self._on_wire or self._finished or self._turning:
            if loop.time() > deadline:
                for session in list(self._on_wire):
                    session.abort("this process had to end")
            if loop.time() > deadline + 2 or any(t.done() for t in tasks):
                break
            await asyncio.sleep(0.01)
        hand = list(self._hand)
        self._hand.clear()
        if hand:
            await self._release(hand)

    # -- the database, in threads --------------------------------------------------------------------------

    async def _database(self, work: Callable[..., T], *args: Any) -> T:
        """Does work that may be done again, until the database is there."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await loop.run_in_executor(self._threads, partial(work, *args))
            except (DBAPIError, PoolTimeout, psycopg2.Error) as error:
                if not is_transient(error):
                    raise
                log.warning("delivery.database_away", error=str(error).strip()[:300])
                await asyncio.sleep(DATABASE_PAUSE_SECONDS)

    async def _plan(self, once: bool) -> None:
        loop = asyncio.get_running_loop()
        arrived = partial(loop.call_soon_threadsafe, self._arrived)
        await self._database(self._rounds.arm)
        while True:
            self._plan_now.clear()
            if self._heartbeat is not None:
                self._heartbeat.touch()
            if not self._links.breaker.closed:
                await loop.run_in_executor(self._threads, self._gate.tell_away)
            pause = await self._database(self._rounds.plan, arrived)
            self._planned = True
            self._arrived()
            try:
                async with asyncio.timeout(pause):
                    await self._plan_now.wait()
            except TimeoutError:
                if once:
                    await asyncio.Event().wait()
                self._front.rewind()

    def _arrived(self) -> None:
        self._front.arrived()
        self._changed()

    async def _claim(self) -> None:
        """Takes something in hand while no connection is there: for that one is made."""
        while True:
            probing = not self._links.breaker.closed
            needed = probing or not self._links.some
            if needed and not (self._stopping or self._front.dry or self._links.away or self._hand):
                await self._claim_some(1 if probing else self._claim_limit())
                continue
            await asyncio.sleep(0.02)

    def _claim_limit(self) -> int:
        limit = max(1, int(self._links.allowed))
        if self._mail.rate_per_second:
            # What cannot go out within a quarter of the lease is another worker's.
            seconds = self._settings.lease.total_seconds() / 4
            limit = min(limit, max(1, int(self._mail.rate_per_second * seconds)))
        return limit

    async def _claim_some(self, limit: int) -> None:
        look = self._front.look()
        taken = await self._database(self._rounds.claim, limit, look.place)
        self._hand.extend(taken.claims)
        self._front.seen(look, taken, limit)
        self._changed()

    async def _release(self, claims: list[Claim]) -> None:
        try:
            await asyncio.wait_for(self._database(self._rounds.release, claims), 3)
        except TimeoutError:
            log.warning("delivery.not_given_back", deliveries=len(claims))  # their lease ends by itself

    async def _hold(self) -> None:
        """Renews the leases of what is in hand or on the wire, in thirds of the lease.

        What lay in hand since the last time goes back: the remaining time that it tells would not be true.
        """
        old: set[int] = set()
        while True:
            await asyncio.sleep(self._settings.lease.total_seconds() / 3)
            stale = [claim for claim in self._hand if claim.id in old]
            if stale:
                self._hand = deque(claim for claim in self._hand if claim.id not in old)
                await self._give_up(stale)
                self._front.rewind()
                self._arrived()
            mine = [*self._hand, *self._on_wire.values()]
            if mine:
                await self._database(self._rounds.renew, mine)
            old = {claim.id for claim in self._hand}

    # -- a turn --------------------------------------------------------------------------------------------

    async def _turn(self, turns: Turns) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if not self._worth_it():
                continue
            if len(self._finished) + len(self._links.free) < len(self._on_wire):
                await asyncio.sleep(LINGER_SECONDS)
            self._turning += 1
            try:
                await self._take_turn(turns)
            finally:
                self._turning -= 1
            if self._worth_it():
                self._changed()
                await asyncio.sleep(0)

    def _worth_it(self) -> bool:
        if self._hand and not self._stopping:
            if self._links.away:
                hand = list(self._hand)
                self._hand.clear()
                self._front.dry = True
                task = asyncio.create_task(self._give_up(hand))
                task.add_done_callback(lambda t: t.cancelled() or t.exception())
                return bool(self._finished)
            self._links.want(len(self._hand))
        return bool(self._finished) or (self._links.ready and self._may_send() > 0)

    def _may_send(self) -> int:
        """How many mails could go out if there were connections for all."""
        if self._stopping or asyncio.get_running_loop().time() < self._throttled_until:
            return 0
        if self._hand:
            return len(self._hand)
        sure = not self._front.dry and self._links.breaker.closed
        return int(self._links.allowed) if sure else 0

    async def _give_up(self, hand: list[Claim]) -> None:
        self._turning += 1
        try:
            await self._release(hand)
        finally:
            self._turning -= 1

    async def _take_turn(self, turns: Turns) -> None:
        finished, self._finished = self._finished, []
        for session, _, _ in finished:
            self._links.give_back(session)
        sessions = self._links.take(self._may_send())
        granted = await self._grant(len(sessions))
        claims = [self._hand.popleft() for _ in range(min(granted, len(self._hand)))]
        results = [(claim, answer) for _, claim, answer in finished]
        if claims:
            mine = await self._database(self._rounds.turn, results, claims)
            claims = [claim for claim in claims if claim.id in mine]
        elif results or granted:
            claims = await self._take_due(turns, results, granted)
        self._answered += len(finished)
        for session, claim in zip(sessions, claims, strict=False):
            self._send(session, claim)
        for session in sessions[len(claims) :]:
            self._links.give_back(session)
        if talks := self._talks.ended():
            await self._database(self._rounds.trace, talks)

    async def _take_due(self, turns: Turns, results: list[tuple[Claim, Answer]], limit: int) -> list[Claim]:
        """Records, and takes as many due ones as there are connections: on them these go out at once."""
        if rough := [result for result in results if not result[1].accepted]:
            await self._database(self._rounds.turn, rough, [])
            results = [result for result in results if result[1].accepted]
        look = self._front.look()
        taken = await self._database(self._rounds.smooth_turn, turns, results, limit, look.place)
        if limit:
            self._front.seen(look, taken, limit)
            if taken.seen >= limit:
                self._links.want(int(self._links.allowed))
        return taken.claims

    async def _grant(self, wanted: int) -> int:
        if not wanted or self._gate.free:
            return wanted
        loop = asyncio.get_running_loop()
        granted = await loop.run_in_executor(self._threads, self._gate.take, wanted)
        if granted < wanted:
            self._throttled_until = loop.time() + THROTTLED_SECONDS
            loop.call_later(THROTTLED_SECONDS, self._changed)
        return granted

    def _send(self, session: Session, claim: Claim) -> None:
        self._on_wire[session] = claim
        try:
            address, mail = self._composer.compose(claim)
        except (ValueError, LookupError) as error:
            self._done(session, Answer(550, f"the mail cannot be written: {error}"))
            return
        if session.broken is not None:
            self._done(session, Answer(450, "the connection was gone", lost=True, untried=True))
            return
        patience = (float(self._mail.timeout_seconds), float(self._mail.final_timeout_seconds))
        self._talks.begin(claim)
        hand_over(session, self._composer.envelope_sender, address, mail, patience, self._done)

    def _done(self, session: Session, answer: Answer) -> None:
        claim = self._on_wire.pop(session)
        self._finished.append((session, claim, answer))
        self._talks.end(claim, answer)
        load = strain(answer)
        if load is not Strain.NONE:
            self._links.slow()
            rest = self._gate.rest()
            log.warning("delivery.relay_slowed", rest_seconds=round(rest, 1), answer=str(answer.text)[:200])
        if answer.lost or answer.unknown or load is Strain.CLOSE:
            if not answer.untried:
                self._links.failed(answer.text)
        else:
            self._links.answered()
            self._gate.relax()
        self._news.set()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self._links.watch()
            self._changed()
