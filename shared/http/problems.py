"""Every error as RFC 9457 problem details plus the keys that older clients read."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match

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
    return _AsciiJson(body, status, headers=dict(headers or {}))


class _AsciiJson(JSONResponse):
    # What a caller sent may be quoted here, and half a surrogate pair has no UTF-8.
    def render(self, content: object) -> bytes:
        return json.dumps(content).encode("ascii")


def _refusal(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(error.status, error.title, error.detail, error.errors, headers)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    if wanted := _wanted_type(request):
        return problem(415, "Unsupported Media Type", f"Send {wanted}.")
    errors: dict[str, list[str]] = {}
    for item in error.errors():
        if item["type"] == "json_invalid":
            reason = f"is no JSON: {item['ctx']['error']} at character {item['loc'][-1]}"
            return problem(400, "Bad request", f"The body {reason}.", {"body": [reason]})
        path = [str(part) for part in item["loc"] if part not in ("body", "query", "path", "header")]
        errors.setdefault(".".join(path) or "body", []).append(item["msg"].removeprefix("Value error, "))
    detail = "; ".join(f"{field}: {', '.join(texts)}" for field, texts in errors.items())
    return problem(400, "Invalid", detail, errors)


def _wanted_type(request: Request) -> str | None:
    """The media type that a call's body must have, None if it has it or there is no body to have one."""
    field = getattr(request.scope.get("route"), "body_field", None)
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if field is None or not given:
        return None
    if isinstance(field.field_info, Form):
        forms = ("multipart/form-data", "application/x-www-form-urlencoded")
        return None if given in forms else "multipart/form-data"
    return None if re.fullmatch(r"application/(.+\+)?json", given) else "application/json"


def _time(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TimeInvalid)
    return _refusal(request, Invalid.field(error.field, error.problem))


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title, headers = HTTPStatus(error.status_code).phrase, dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    return problem(error.status_code, title, str(error.detail), headers=headers)


def _allowed(request: Request) -> list[str]:
    """Every method of the path: Starlette itself names only those of the first route that has it."""
    methods = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
    return [
        method
        for method in methods
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.router.routes
        )
    ]


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
