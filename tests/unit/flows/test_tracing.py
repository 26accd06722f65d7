"""Where traces go: through the filter of log lines, and nowhere where the extra is missing."""

import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flows import tracing


def test_a_span_loses_addresses_and_tokens_wherever_they_stand():
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(tracing.inert(kept)))
    about = {"token": "Bearer eyJhbGciOi.J9", "who": ["bob@example.com"]}
    begun = provider.get_tracer("try").start_as_current_span("of ada@example.com", attributes=about)
    with pytest.raises(ValueError, match="shpat_0"), begun:
        int("shpat_0123456789ab")
    (told,) = kept.get_finished_spans()
    assert told.name == "of (address)"
    assert dict(told.attributes or {}) == {"token": "Bearer ***", "who": ["(address)"]}
    assert told.status.status_code is trace.StatusCode.ERROR
    assert told.events[0].name == "exception"
    for secret in ("ada@", "eyJ", "bob@", "shpat_0"):
        assert secret not in told.to_json()


def test_without_the_extra_work_goes_on_untraced(monkeypatch, caplog):
    monkeypatch.setenv("WHARF_TRACES", "otlp")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    tracing.install.cache_clear()
    tracing.install()
    tracing.install.cache_clear()
    assert "needs the extra `traces`" in caplog.text
