"""One trace from a request to what it caused, over HTTP, outbox, queue and mail (W3C Trace Context).

Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set: then OpenTelemetry's SDK is imported and sends spans there.
Off, a span is an empty context manager and nothing that records is loaded.

recorder.py  spans, when it is on    http.py  a span for each request
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from shared.settings import Environment, SettingError

Value = str | int | float | bool


class Span(Protocol):
    """What may be said of a span while it is open."""

    def rename(self, name: str) -> None: ...

    def note(self, **facts: Value) -> None: ...


class _Silent:
    def rename(self, name: str) -> None:
        """Nobody hears it."""

    def note(self, **facts: Value) -> None:
        """Nobody hears it."""


class Recorder(Protocol):
    """Makes spans: shared.tracing.recorder."""

    def span(
        self, name: str, kind: str, parent: str | None, links: Sequence[str], facts: Mapping[str, Value]
    ) -> AbstractContextManager[Span]: ...

    def past_span(
        self,
        name: str,
        kind: str,
        times: tuple[int, int],
        parent: str | None,
        links: Sequence[str],
        facts: Mapping[str, Value],
    ) -> None: ...

    def traceparent(self) -> str | None: ...


_SILENT: Span = _Silent()
_recorder: Recorder | None = None


def start(process: str, env: Environment) -> None:
    """Turns tracing on when the environment says where spans go; raises SettingError."""
    endpoint = env.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    if not endpoint:
        return
    if not endpoint.startswith(("http://", "https://")):
        raise SettingError("OTEL_EXPORTER_OTLP_ENDPOINT", f"{endpoint!r} is not an http:// or https:// URL")
    from shared.tracing.recorder import OpenTelemetryRecorder

    use(OpenTelemetryRecorder(process, endpoint))


def use(recorder: Recorder | None) -> None:
    """From now on spans go to this recorder; None turns tracing off."""
    global _recorder
    _recorder = recorder


def is_on() -> bool:
    """Whether spans are recorded."""
    return _recorder is not None


def span(
    name: str, kind: str = "internal", parent: str | None = None, links: Sequence[str] = (), **facts: Value
) -> AbstractContextManager[Span]:
    """A span for the block; `parent` and `links` are `traceparent` values. Without `parent` it belongs to the
    span that is open here, if one is. Kinds: internal, server, client, producer, consumer.
    """
    if _recorder is None:
        return nullcontext(_SILENT)
    return _recorder.span(name, kind, parent, links, facts)


def past_span(
    name: str,
    kind: str,
    times: tuple[int, int],
    parent: str | None = None,
    links: Sequence[str] = (),
    **facts: Value,
) -> None:
    """A span that is over: `times` are its begin and end, in nanoseconds since 1970; else as span()."""
    if _recorder is not None:
        _recorder.past_span(name, kind, times, parent, links, facts)


def traceparent() -> str | None:
    """The `traceparent` of the span that is open here, to be carried further; None when there is none."""
    return _recorder.traceparent() if _recorder is not None else None
