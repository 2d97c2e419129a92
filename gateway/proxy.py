"""Passes one request to a service and its answer back, both as streams."""

import asyncio
from collections.abc import Callable

import aiohttp
import structlog
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from gateway import errors
from gateway.headers import Caller, end_to_end, for_upstream
from gateway.settings import Settings
from gateway.upload import Upload
from gateway.upstreams import Pool, Pools, Replica
from shared.tracing import traceparent

log = structlog.get_logger(__name__)

# Shorter than the 5 s of uvicorn, so that it is always we who close an idle connection.
KEEPALIVE_SECONDS = 2
CONNECT_SECONDS = 2
CONNECTIONS = 512
# An answer up to this size is passed on in one piece, with its headers, in one system call.
ONE_PIECE_BYTES = 64 * 1024
AUTO_HEADERS = frozenset(["User-Agent", "Accept", "Accept-Encoding", "Content-Type"])
SAFE = frozenset(["GET", "HEAD", "OPTIONS"])
# Not a byte was written.
NEVER_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)

Stamp = Callable[[web.StreamResponse], None]


class Proxy:
    """The way to the services over one bounded pool of connections."""

    def __init__(self, session: aiohttp.ClientSession, pools: Pools, settings: Settings) -> None:
        self._session = session
        self._pools = pools
        self._timeout = settings.upstream_timeout
        self._max_body = settings.max_body_bytes

    async def forward(
        self, request: web.BaseRequest, service: str, caller: Caller, stamp: Stamp
    ) -> web.StreamResponse:
        """The service's answer; a long one is stamped and sent already. Raises GatewayError before that."""
        upload = Upload(request, self._max_body)
        answer: aiohttp.ClientResponse | None = None
        stream: web.StreamResponse | None = None
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._ask(request, self._pools[service], caller, upload)
                if _shows_internals(answer):
                    return errors.problem(answer.status, "The service failed.")
                if _fits_in_one_piece(answer):
                    return await _whole(answer)
                stream = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_head(answer))
                stamp(stream)
                await _relay(answer, stream, request)
                return stream
        except (aiohttp.ClientError, OSError) as error:
            if stream is None or not stream.prepared:
                raise self._refusal(error, upload) from error
            _cut(request, caller, error)
            return stream
        finally:
            if answer is not None:
                answer.release()

    async def _ask(
        self, request: web.BaseRequest, pool: Pool, caller: Caller, upload: Upload
    ) -> aiohttp.ClientResponse:
        """The first answer of a replica, read if it is short; two tries or more where one may be repeated."""
        tried: list[Replica] = []
        while True:
            replica = pool.choose(tried)
            tried.append(replica)
            try:
                answer = await self._send(request, replica, caller, upload)
                if _fits_in_one_piece(answer):
                    await answer.read()
                return answer
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
                if isinstance(error, NEVER_CONNECTED):
                    pool.mark(replica, False)
                if len(tried) >= max(2, len(pool)) or not may_repeat(request.method, upload, error):
                    raise

    async def _send(
        self, request: web.BaseRequest, replica: Replica, caller: Caller, upload: Upload
    ) -> aiohttp.ClientResponse:
        headers = for_upstream(request.headers, caller)
        if (parent := traceparent()) is not None:
            headers["traceparent"] = parent
        return await self._session.request(
            # The services know no HEAD; what they say to GET is the answer, without its body.
            "GET" if request.method == "HEAD" else request.method,
            # Encoded as it came: a service must see the very path that was routed.
            URL(replica.base + request.rel_url.raw_path_qs, encoded=True),
            headers=headers,
            data=upload.chunks() if upload.present else None,
            allow_redirects=False,
        )

    def _refusal(self, error: Exception, upload: Upload) -> errors.GatewayError:
        if upload.too_large:
            return errors.BodyTooLargeError(self._max_body)
        if upload.broken:
            return errors.UploadBrokenError()
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return errors.UpstreamDownError()
        if isinstance(error, TimeoutError):
            waits_for_client = upload.begun and not upload.finished
            return errors.UploadTooSlowError() if waits_for_client else errors.UpstreamSlowError()
        if isinstance(error, aiohttp.ClientConnectionError | OSError):
            return errors.UpstreamDownError()
        return errors.UpstreamBrokenError()


def may_repeat(method: str, upload: Upload, error: Exception) -> bool:
    """Whether a request that failed so can be sent again without being done twice."""
    if upload.begun:
        return False
    if isinstance(error, NEVER_CONNECTED):
        return True
    if isinstance(error, TimeoutError):
        return False
    # aiohttp raises this one when a pooled connection was closed before the first byte was written.
    return method in SAFE or isinstance(error, aiohttp.ClientConnectionResetError)


def _shows_internals(answer: aiohttp.ClientResponse) -> bool:
    return answer.status >= 500 and answer.content_type not in (
        "application/json",
        "application/problem+json",
    )


def _head(answer: aiohttp.ClientResponse) -> CIMultiDict[str]:
    headers = end_to_end(answer.headers)
    headers.popall("Server", None)
    return headers


def _fits_in_one_piece(answer: aiohttp.ClientResponse) -> bool:
    length = answer.content_length
    return length is not None and length <= ONE_PIECE_BYTES


async def _whole(answer: aiohttp.ClientResponse) -> web.Response:
    body = await answer.read()  # read already
    return web.Response(status=answer.status, reason=answer.reason, headers=_head(answer), body=body)


async def _relay(
    answer: aiohttp.ClientResponse, response: web.StreamResponse, request: web.BaseRequest
) -> None:
    await response.prepare(request)
    if request.method != "HEAD":
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
    await response.write_eof()


def _cut(request: web.BaseRequest, caller: Caller, error: Exception) -> None:
    """The status is sent; only a broken connection can still tell the client that this is not all."""
    log.warning("answer_cut_short", request_id=caller.request_id, reason=type(error).__name__)
    if request.transport is not None:
        request.transport.abort()


def open_session() -> aiohttp.ClientSession:
    """A client for the services; needs a running loop.

    aiohttp, because on this path it was measured at six times the rate of httpx; docs/decisions/0007.
    """
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEEPALIVE_SECONDS)
    session = aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=AUTO_HEADERS,
    )
    # aiohttp would send PUT and DELETE again by itself; `may_repeat` alone decides here.
    session._retry_connection = False
    return session
