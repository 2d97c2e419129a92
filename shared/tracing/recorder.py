"""Spans by OpenTelemetry's SDK, sent over OTLP/HTTP in batches. Imported only when tracing is on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from shared.tracing import Span, Value

# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")


def read_traceparent(text: str | None) -> SpanContext | None:
    """The context in a `traceparent`; None for a missing or malformed one, which is no error."""
    found = _TRACEPARENT.fullmatch(text or "")
    if found is None:
        return None
    flags = TraceFlags(int(found["flags"], 16))
    context = SpanContext(int(found["trace"], 16), int(found["span"], 16), is_remote=True, trace_flags=flags)
    return context if context.is_valid else None


class _Recorded:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, **facts: Value) -> None:
        self._span.set_attributes({f"dicoevent.{name}": value for name, value in facts.items()})


class OpenTelemetryRecorder:
    """One for a process. What is not sent yet is sent when the process ends in order."""

    def __init__(self, process: str, endpoint: str) -> None:
        resource = Resource.create({"service.name": process, "service.namespace": "dicoevent"})
        self.provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self.provider.get_tracer("dicoevent")

    def span(
        self, name: str, kind: str, parent: str | None, links: Sequence[str], facts: Mapping[str, Value]
    ) -> AbstractContextManager[Span]:
        return self._open(name, SpanKind[kind.upper()], read_traceparent(parent), links, facts)

    def past_span(
        self,
        name: str,
        kind: str,
        times: tuple[int, int],
        parent: str | None,
        links: Sequence[str],
        facts: Mapping[str, Value],
    ) -> None:
        above = read_traceparent(parent)
        span = self._tracer.start_span(
            name,
            context=trace.set_span_in_context(NonRecordingSpan(above)) if above else None,
            kind=SpanKind[kind.upper()],
            links=[Link(found) for link in links if (found := read_traceparent(link))],
            start_time=times[0],
        )
        _Recorded(span).note(**facts)
        span.end(times[1])

    @contextmanager
    def _open(
        self,
        name: str,
        kind: SpanKind,
        parent: SpanContext | None,
        links: Sequence[str],
        facts: Mapping[str, Value],
    ) -> Iterator[Span]:
        context = trace.set_span_in_context(NonRecordingSpan(parent)) if parent else None
        linked = [Link(found) for link in links if (found := read_traceparent(link))]
        # The text of an exception may hold an address, and a trace is not masked.
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=kind,
            links=linked,
            record_exception=False,
            set_status_on_exception=False,
        ) as opened:
            span = _Recorded(opened)
            span.note(**facts)
            try:
                yield span
            except BaseException as error:
                opened.set_status(trace.Status(trace.StatusCode.ERROR, type(error).__name__))
                raise

    def traceparent(self) -> str | None:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return None
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
