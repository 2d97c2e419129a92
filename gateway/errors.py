"""Every refusal of the gateway, each an RFC 9457 problem with the keys that older clients read."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from aiohttp import web


class GatewayError(Exception):
    """The root: a refusal with a status, a text for the client and extra headers."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    detail = "Something went wrong."

    def __init__(self, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or self.detail)
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """The answer to the client."""
        return problem(self.status, str(self), self.headers)


class NotRoutedError(GatewayError):
    """No service has this path."""

    status = HTTPStatus.NOT_FOUND
    detail = "There is nothing at this address."


class MethodRefusedError(GatewayError):
    """A method that is not for this address; `allowed` are those that are."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    detail = "This address cannot be asked in this way."

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__(headers={"Allow": ", ".join(allowed)})


class UploadBrokenError(GatewayError):
    """The client hung up, or its body is not what its headers say."""

    status = HTTPStatus.BAD_REQUEST
    detail = "The request body broke off."


class UploadTooSlowError(GatewayError):
    """The client did not finish its body before the deadline."""

    status = HTTPStatus.REQUEST_TIMEOUT
    detail = "The request body did not arrive in time."


class BodyTooLargeError(GatewayError):
    """The body is over the limit, announced or counted."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body may have at most {limit} bytes.")


class FileTooLargeError(GatewayError):
    """As BodyTooLargeError, where the contract wants 400 that names the form's field."""

    status = HTTPStatus.BAD_REQUEST
    detail = "The file is too large."

    def __init__(self, field: str) -> None:
        super().__init__()
        self._field = field

    def response(self) -> web.Response:
        """The answer to the client."""
        return problem(self.status, str(self), self.headers, {self._field: [str(self)]})


class TooManyAttemptsError(GatewayError):
    """One client has used one route too often."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    detail = "Too many requests of this kind; try again later."

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(headers={"Retry-After": str(wait_seconds)})


class UpstreamBrokenError(GatewayError):
    """The service's answer is not HTTP."""

    status = HTTPStatus.BAD_GATEWAY
    detail = "The service gave an answer that cannot be passed on."


class UpstreamDownError(GatewayError):
    """The service refused the connection or closed it before it answered."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    detail = "The service cannot be reached at the moment."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class UpstreamSlowError(GatewayError):
    """The service did not answer before the deadline."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    detail = "The service did not answer in time."


def problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: Mapping[str, list[str]] | None = None,
) -> web.Response:
    """An error answer: `{"type", "title", "status", "detail", "errors": {field: [..]}}`."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "errors": dict(errors or {}),
    }
    return as_json(body, status=int(status), headers=headers)


def as_json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer in JSON, which knows no `charset` (RFC 8259)."""
    data = json.dumps(body).encode()
    return web.Response(body=data, status=status, headers=headers, content_type="application/json")
