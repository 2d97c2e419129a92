"""The desk: orders that come at the same moment share one transaction (docs/decisions/0006)."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from services.tickets.errors import TicketsError
from services.tickets.handlers.selling import OrderRequest, place_orders
from services.tickets.model import Order
from shared.database import is_transient
from shared.http import DependencyDown

log = structlog.get_logger(__name__)

MAX_BATCH = 64
PATIENCE_SECONDS = 20.0
Result = Order | TicketsError | SQLAlchemyError
Waiting = tuple[OrderRequest, asyncio.Future[Order]]


class Desk:
    """While one transaction commits, the orders that come meanwhile gather for the next one.

    A busy sale so pays for the locks and the disk once for many orders, a quiet one waits for nobody.
    Everything but the transaction happens in the event loop, so nothing here needs a lock.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[Waiting] = []
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "desk")

    async def place(self, request: OrderRequest) -> Order:
        """The order, committed; raises why there is none."""
        future: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        try:
            return await asyncio.wait_for(future, PATIENCE_SECONDS)
        except TimeoutError:
            raise DependencyDown("The database is too slow now; look whether the order is there.") from None

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = [waiting for waiting in self._waiting[:MAX_BATCH] if not waiting[1].done()]
            del self._waiting[:MAX_BATCH]
            requests = [request for request, _ in batch]
            results = await loop.run_in_executor(self._thread, commit, self._engine, requests)
            for (_, future), result in zip(batch, results, strict=True):
                _answer(future, result)

    def close(self) -> None:
        """Ends the thread; the server has answered everybody by then."""
        self._thread.shutdown()


def _answer(future: asyncio.Future[Order], result: Result) -> None:
    if future.done():
        return  # its caller has no patience left, or went away
    if isinstance(result, Order):
        future.set_result(result)
    else:
        future.set_exception(result)


def commit(engine: Engine, requests: Sequence[OrderRequest]) -> Sequence[Result]:
    """Places orders in one transaction. If the database refuses it, each gets one of its own, so that no
    order fails for what is wrong with its neighbour. If the database is away, nothing is tried twice: nobody
    knows what became of a commit that was not answered.
    """
    try:
        return _commit(engine, requests)
    except SQLAlchemyError as error:
        if is_transient(error) and not _rolled_back(error):
            return [error] * len(requests)
        log.warning("desk.refused", orders=len(requests), error=str(error).strip())
    return [_alone(engine, request) for request in requests]


def _rolled_back(error: SQLAlchemyError) -> bool:
    # Class 40: the server ended the transaction itself, as after a deadlock.
    return isinstance(error, DBAPIError) and (getattr(error.orig, "pgcode", None) or "").startswith("40")


def _alone(engine: Engine, request: OrderRequest) -> Result:
    try:
        return _commit(engine, [request])[0]
    except SQLAlchemyError as error:
        return error


def _commit(engine: Engine, requests: Sequence[OrderRequest]) -> Sequence[Order | TicketsError]:
    with engine.begin() as connection:
        return place_orders(connection, requests)
