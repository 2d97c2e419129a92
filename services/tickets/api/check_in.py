"""The call at the door."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from services.tickets.api.shapes import OrderBody, Scan
from services.tickets.api.wiring import Caller, Wired
from services.tickets.errors import AlreadyCheckedIn
from services.tickets.handlers.check_in import check_in
from shared.http import Problem, problems
from shared.times import write_time

router = APIRouter(prefix="/api/tickets", tags=["check-in"])


class CheckedInProblem(Problem):
    """Of a ticket that was checked in: when (RFC 3339, "" if not known) and by whom (id and name)."""

    checked_in_at: str = ""
    checked_in_by: str = ""
    checked_in_by_name: str = ""


_EXAMPLE = {
    "type": "about:blank",
    "title": "Conflict",
    "status": 409,
    "detail": "This ticket was checked in at 2030-11-27T12:01:07+00:00 by Budi.",
    "errors": {},
    "checked_in_at": "2030-11-27T12:01:07.123456+00:00",
    "checked_in_by": "0198c6f0-0000-7000-8000-000000000000",
    "checked_in_by_name": "Budi",
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    **problems(403, 404, _403="Only staff of the event check tickets in.",
               _404="There is no ticket with this code."),
    409: {
        "model": CheckedInProblem,
        "description": "It was checked in before, or admits nobody any more.",
        "content": {"application/json": {"example": _EXAMPLE}},
    },
}  # fmt: skip


@router.post("/check-in", responses=_ANSWERS)
def check_in_ticket(body: Scan, caller: Caller, wired: Wired) -> OrderBody:
    """Lets the holder of a code in, once; for staff of the event."""
    with wired.engine.begin() as connection:
        return OrderBody.of(check_in(connection, body.code, caller))


def tell_when_and_by_whom(_: Request, error: Exception) -> JSONResponse:
    """The problem of a ticket that was checked in before, with its own fields (RFC 9457, 3.2)."""
    assert isinstance(error, AlreadyCheckedIn)
    problem = CheckedInProblem(
        type="about:blank",
        title="Conflict",
        status=409,
        detail=str(error),
        errors={},
        checked_in_at=write_time(error.at, "UTC"),
        checked_in_by=error.by or "",
        checked_in_by_name=error.by_name,
    )
    return JSONResponse(problem.model_dump(), problem.status)
