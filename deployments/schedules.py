"""Schedules of former versions: `prefect deploy` adds and changes by slug, and keeps what is no longer named."""

import yaml

from deployments.pull import ROOT


def tidy() -> None:
    """Delete schedules with a slug that prefect.yaml no longer names; those made in the UI have none and stay."""
    from prefect.client.orchestration import get_client

    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    wanted = {one["name"]: {schedule["slug"] for schedule in one.get("schedules", [])} for one in declared}
    with get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            if deployment.name not in wanted:
                continue
            for schedule in deployment.schedules:
                if schedule.slug and schedule.slug not in wanted[deployment.name]:
                    client.delete_deployment_schedule(deployment.id, schedule.id)
