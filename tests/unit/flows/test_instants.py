"""What a person types as an instant into a run's form."""

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.exceptions import ParameterTypeError
from prefect.utilities.importtools import import_object

from deployments.pull import ROOT
from flows.sync import sync

DEPLOYED = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
FLOWS: list[Flow[..., Any]] = [import_object(one["entrypoint"]) for one in DEPLOYED]
FIELDS = [
    (flow, name)
    for flow in [*FLOWS, sync]
    for name, field in flow.parameters.properties.items()
    if "date-time" in str(field)
]
EXAMPLES = {"account": "amazon", "since": "2026-01-01T00:00:00+00:00", "until": "2026-07-01T00:00:00+00:00"}


def given(flow: Flow[..., Any], name: str, value: str) -> Any:
    """What the flow makes of `value` as its parameter `name`."""
    others = {needed: EXAMPLES[needed] for needed in flow.parameters.required or []}
    return flow.validate_parameters(others | {name: value})[name]


@pytest.mark.parametrize(("flow", "name"), FIELDS, ids=lambda part: getattr(part, "name", part))
def test_without_a_zone_it_is_utc_and_nonsense_is_told_by_the_name_of_the_field(flow, name):
    assert given(flow, name, "2026-03-29T02:30:00") == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)
    assert given(flow, name, "2026-03-29T04:30:00+02:00") == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)
    with pytest.raises(ParameterTypeError, match=f"{name}[^ ]*: .*datetime"):
        given(flow, name, "next Tuesday")


def test_every_flow_that_asks_for_an_instant_is_looked_at():
    assert {flow.name for flow, _ in FIELDS} >= {"backfill", "daily", "delivery", "reconcile", "stock-alerts"}
