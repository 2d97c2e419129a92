"""What each service's OpenAPI document says of errors: every status, its body and an example.

`problems` names what a call refuses by itself; what all calls of a kind refuse is added to the document.
"""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field

Document = dict[str, Any]


class Problem(BaseModel):
    """RFC 9457 problem details; `errors` maps a field to what is wrong with it."""

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    errors: dict[str, list[str]]


# status: (title, what it means, an example's detail)
_MEANINGS: dict[int, tuple[str, str, str]] = {
    400: ("Invalid", "Malformed or invalid; `errors` names the fields.", "name: is empty"),
    401: (
        "Not signed in",
        "No token, or one that is not valid.",
        "Sign in first: this needs an access token.",
    ),
    403: ("Not allowed", "The caller's role does not allow it.", "Your role does not allow this."),
    404: ("Not found", "There is no such thing, or not for this caller.", "There is no such thing."),
    409: ("Conflict", "The state of the thing does not allow it.", "It is sold out."),
    413: ("Too large", "The body is too large.", "The body has more than 1048576 bytes."),
    415: (
        "Unsupported Media Type",
        "The body has another type than the call takes.",
        "Send application/json.",
    ),
    429: ("Too many requests", "Wait as many seconds as `Retry-After` says.", "Too many requests."),
    503: ("A dependency is down", "Try again after `Retry-After` seconds.", "The database is away."),
}
_ERRORS = {400: {"name": ["is empty"]}}
_SECONDS = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}
_HEADERS: dict[int, Document] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": _SECONDS},
    503: {"Retry-After": _SECONDS},
}
_EVERYWHERE = (429, 503)
_WITH_BODY = (400, 413, 415)
_OPTIONAL = "bearer_optional"


def problems(*statuses: int, **details: str) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a call that refuses with these statuses; `_404="..."` is an example's detail.

    Not needed for what the document says of every call: 400, 413 and 415 where there is a body, 400 where
    there is a query, 401 where a token is read, 429 and 503.
    """
    return {status: {"model": Problem, **_answer(status, details.get(f"_{status}"))} for status in statuses}


def _answer(status: int, detail: str | None = None) -> Document:
    title, meaning, example_detail = _MEANINGS[status]
    example = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or example_detail,
        "errors": _ERRORS.get(status, {}) if detail is None else {},
    }
    answer: Document = {"description": meaning, "content": {"application/json": {"example": example}}}
    return answer | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def complete(document: Document) -> Document:
    """FastAPI's document with the answers that all calls give, and without its 422, which nobody gives."""
    for path in document.get("paths", {}).values():
        for operation in path.values():
            _complete(operation)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = Problem.model_json_schema()
    schemes = components.get("securitySchemes", {})
    if optional := schemes.pop(_OPTIONAL, None):
        schemes.setdefault("bearer", optional)
    return document


def _complete(operation: Document) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    implied = set(_EVERYWHERE)
    if "requestBody" in operation:
        implied.update(_WITH_BODY)
    if any(parameter["in"] in ("query", "header") for parameter in operation.get("parameters", ())):
        implied.add(HTTPStatus.BAD_REQUEST)
    if security := operation.get("security"):
        implied.add(HTTPStatus.UNAUTHORIZED)
        if any(_OPTIONAL in way for way in security):
            operation["security"] = [{}, {"bearer": []}]
    for status in sorted(implied):
        if str(int(status)) not in responses:
            answer = _answer(status)
            answer["content"]["application/json"]["schema"] = {"$ref": "#/components/schemas/Problem"}
            responses[str(int(status))] = answer
    operation["responses"] = dict(sorted(responses.items()))
