"""The sending loop: claim, compose, send, record.

As many mails are on the wire as there are connections, at most one on each. A turn is one commit: it records
what the last mails of some connections became and makes `sending` durable for the next mail of each of the
same connections; nothing is marked that has to wait behind another mail. Two turns alternate, so that the
database works while SMTP talks. A kill -9 leaves at most one mail for each open connection of which nobody
knows whether it arrived.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
import structlog
import uvloop
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.notifications.answers import Strain, strain
from services.notifications.leases import Place
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
from shared.database import is_transient

log = structlog.get_logger(__name__)
T = TypeVar("T")

TURNS = 2
# A turn waits this long for more connections to come free: one commit for many is what makes it fast.
LINGER_SECONDS = 0.003
WATCH_SECONDS = 0.25
DATABASE_PAUSE_SECONDS = 0.5


class DeliveryLoop:
    """Sends what is due until it is stopped. Woken from the outside; sweeps by itself every few seconds."""

    def __init__(
        self,
        engine: Engine,
        settings: ReminderSettings,
        mail: MailSettings,
        gate: RateGate,
        heartbeat: Path | None = None,
    ) -> None:
        self._settings = settings
        self._mail = mail
        self._gate = gate
        self._heartbeat = heartbeat
        self._rounds = Rounds(engine, settings)
        self._stop_asked = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._courier: Courier | None = None

    def wake(self) -> None:
        """There may be something to do."""
        self._tell(lambda courier: courier.wake())

    def stop(self) -> None:
        """Ends when what is on the wire is answered, or the grace is over."""
        self._stop_asked.set()
        self._tell(lambda courier: courier.stop())

    def _tell(self, what: Callable[["Courier"], None]) -> None:
        loop, courier = self._loop, self._courier
        if loop is not None and courier is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(what, courier)
            except RuntimeError:
                log.debug("delivery.loop_closed")

    def run(self) -> None:
        """Plans and sends until stopped; a database or mail server that is away is waited for."""
        self._run(once=False)

    def work_once(self) -> int:
        """Plans, and sends until nothing is due or the server is away; returns how many were answered."""
        return self._run(once=True)

    def _run(self, once: bool) -> int:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._main(once))

    async def _main(self, once: bool) -> int:
        self._loop = asyncio.get_running_loop()
        self._courier = Courier(self._rounds, self._settings, self._mail, self._gate, self._heartbeat)
        if self._stop_asked.is_set():
            return 0
        return await self._courier.run(once)


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
        self._turning = 0
        self._place: Place | None = None
        self._dry = False
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
        tasks += [asyncio.create_task(self._turn()) for _ in range(TURNS)]
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
        return self._answered

    async def _until_done(self, once: bool) -> None:
        while not self._stopping:
            idle = not self._on_wire and not self._finished and not self._turning and not self._hand
            if once and self._planned and idle and (self._dry or self._links.away):
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
        await self._database(self._rounds.arm)
        while True:
            self._plan_now.clear()
            if self._heartbeat is not None:
                self._heartbeat.touch()
            await self._database(self._rounds.plan)
            self._dry, self._place, self._planned = False, None, True
            self._changed()
            try:
                async with asyncio.timeout(self._settings.sweep.total_seconds()):
                    await self._plan_now.wait()
            except TimeoutError:
                if once:
                    await asyncio.Event().wait()

    async def _claim(self) -> None:
        """Keeps two rounds in hand while there are due ones and a relay to give them to."""
        while True:
            round_ = max(1, int(self._links.allowed))
            probing = not self._links.breaker.closed
            if self._planned and not (self._stopping or self._dry or self._links.away):
                limit = 1 if probing else self._claim_limit(round_)
                if len(self._hand) < (1 if probing else min(limit, 2 * round_)):
                    await self._claim_some(limit)
                    continue
            await asyncio.sleep(0.002 if self._on_wire or not self._planned else 0.02)

    def _claim_limit(self, round_: int) -> int:
        limit = max(64, 8 * round_)
        if self._mail.rate_per_second:
            # What cannot go out within a quarter of the lease is another worker's.
            limit = min(
                limit, max(1, int(self._mail.rate_per_second * self._settings.lease.total_seconds() / 4))
            )
        return limit

    async def _claim_some(self, limit: int) -> None:
        place = self._place
        taken = await self._database(self._rounds.claim, limit, place)
        self._hand.extend(taken.claims)
        if taken.seen < limit and self._place is place:
            # From the front again: rows may have come back behind this place.
            self._dry, self._place = place is None, None
        elif taken.seen >= limit and self._place is place:
            self._place = taken.last
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
                self._dry, self._place = False, None
            mine = [*self._hand, *self._on_wire.values()]
            if mine:
                await self._database(self._rounds.renew, mine)
            old = {claim.id for claim in self._hand}

    # -- a turn --------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if not self._worth_it():
                continue
            if len(self._finished) + len(self._links.free) < len(self._on_wire):
                await asyncio.sleep(LINGER_SECONDS)
            self._turning += 1
            try:
                await self._take_turn()
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
                self._dry = True
                task = asyncio.create_task(self._give_up(hand))
                task.add_done_callback(lambda t: t.cancelled() or t.exception())
                return bool(self._finished)
            self._links.want(len(self._hand))
            return bool(self._finished or self._links.ready)
        return bool(self._finished)

    async def _give_up(self, hand: list[Claim]) -> None:
        self._turning += 1
        try:
            await self._release(hand)
        finally:
            self._turning -= 1

    async def _take_turn(self) -> None:
        finished, self._finished = self._finished, []
        for session, _, _ in finished:
            self._links.give_back(session)
        sessions = [] if self._stopping else self._links.take(len(self._hand))
        granted = await self._grant(len(sessions))
        for session in sessions[granted:]:
            self._links.give_back(session)
        claims = [self._hand.popleft() for _ in range(min(granted, len(self._hand)))]
        for session in sessions[len(claims) : granted]:
            self._links.give_back(session)
        if not finished and not claims:
            return
        mine = await self._database(self._rounds.turn, [(c, a) for _, c, a in finished], claims)
        self._answered += len(finished)
        for session, claim in zip(sessions, claims, strict=False):
            if claim.id in mine:
                self._send(session, claim)
            else:
                self._links.give_back(session)
        if talks := self._talks.ended():
            await self._database(self._rounds.trace, talks)

    async def _grant(self, wanted: int) -> int:
        if not wanted or self._gate.free:
            return wanted
        loop = asyncio.get_running_loop()
        granted = await loop.run_in_executor(self._threads, self._gate.take, wanted)
        if granted < wanted:
            loop.call_later(0.05, self._changed)
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
