"""The only place that knows Prefect: order, retries and the clock."""

from flows import logs, tracing

logs.install()
tracing.install()
