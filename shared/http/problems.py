"""Every error as RFC 9457 problem details plus the keys that older clients read."""

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from shared.database import is_transient
from shared.http.errors import DependencyDown, Invalid, Refusal
from shared.times import TimeInvalid

log = structlog.get_logger(__name__)


def problem(
    status: int,
    title: str,
    detail: str,
    errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """One error answer."""
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "errors": dict(errors or {}),
    }
    return JSONResponse(body, status, headers=dict(headers or {}))


def _refusal(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(error.status, error.title, error.detail, error.errors, headers)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors: dict[str, list[str]] = {}
    for item in error.errors():
        path = [str(part) for part in item["loc"] if part not in ("body", "query", "path", "header")]
        errors.setdefault(".".join(path) or "body", []).append(item["msg"].removeprefix("Value error, "))
    detail = "; ".join(f"{field}: {', '.join(texts)}" for field, texts in errors.items())
    return problem(400, "Invalid", detail, errors)


def _time(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TimeInvalid)
    return _refusal(request, Invalid.field(error.field, error.problem))


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    return problem(error.status_code, title, str(error.detail), headers=error.headers)


def _database(request: Request, error: Exception) -> JSONResponse:
    if is_transient(error):
        log.warning("request.database_away", path=request.url.path, error=str(error).strip())
        return _refusal(request, DependencyDown("The database cannot be reached now."))
    return _unexpected(request, error)


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("request.failed", path=request.url.path, exc_info=error)
    return problem(500, "Internal error", "Something went wrong here; it is in the log.")


def install_problem_handlers(app: FastAPI) -> None:
    """Makes every error of an app a problem document."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(TimeInvalid, _time)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(SQLAlchemyError, _database)
    app.add_exception_handler(Exception, _unexpected)
