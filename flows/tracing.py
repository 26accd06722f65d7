"""OpenTelemetry traces, where WHARF_TRACES switches them on: runs and tasks (Prefect's own spans), windows and merges,
requests to the channels and SQL statements.

Spans go to an OTLP collector by the standard variables (OTEL_EXPORTER_OTLP_ENDPOINT and so on) and pass the filter of
log lines first. Requests are traced in `connectors.client` and not by an instrumentation of httpx: that would write
URLs, trace Prefect's own client, and send a header of ours to the marketplaces.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from flows import logs

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter
    from sqlalchemy import Engine

log = logging.getLogger(__name__)
_tracer = trace.get_tracer("wharf")


@contextmanager
def span(name: str, **about: object) -> Iterator[trace.Span]:
    """A span of ours; where traces are off it costs next to nothing."""
    attributes = {f"wharf.{key}": str(value) for key, value in about.items() if value is not None}
    with _tracer.start_as_current_span(name, attributes=attributes) as begun:
        yield begun


@cache
def install() -> None:
    """Send spans of this process where WHARF_TRACES says. Called when `flows` is imported; once is enough."""
    from flows.settings import WharfSettings

    try:
        wanted = WharfSettings().traces
    except ValueError:  # a wrong setting is told where settings are used, not here
        return
    if wanted == "otlp":
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            log.warning(
                "WHARF_TRACES=otlp needs the extra `traces`: uv sync --extra traces; nothing is traced"
            )
            return
        # A merge ends hundreds of spans at once; what does not fit is dropped.
        send(BatchSpanProcessor(inert(OTLPSpanExporter()), max_queue_size=20_000))


def send(processor: "SpanProcessor") -> None:
    """Spans of this process go to `processor`; it is told when the process ends."""
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "wharf"}))
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)


def watch(engine: "Engine") -> None:
    """Statements of `engine` become spans: their text, which holds placeholders, never their values."""
    if is_on():
        from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor

        SQLAlchemyInstrumentor().instrument(engine=engine)


def is_on() -> bool:
    """Whether spans of this process are kept."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def inert(exporter: "SpanExporter") -> "SpanExporter":
    """`exporter` behind the filter every log line passes: no secret, no address."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Inert(SpanExporter):
        def export(self, spans: "Sequence[ReadableSpan]") -> SpanExportResult:
            return exporter.export([_inert(span) for span in spans])

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return exporter.force_flush(timeout_millis)

    return Inert()


def _inert(span: "ReadableSpan") -> "ReadableSpan":
    from opentelemetry.sdk.trace import Event, ReadableSpan

    status = trace.Status(span.status.status_code, _text(span.status.description))
    return ReadableSpan(
        name=_text(span.name) or "",
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_attributes(span.attributes),
        events=[Event(event.name, _attributes(event.attributes), event.timestamp) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _attributes(found: Any) -> dict[str, Any]:
    return {name: _text(value) for name, value in (found or {}).items()}


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return logs.inert(value)
    return [_text(one) for one in value] if isinstance(value, tuple | list) else value
