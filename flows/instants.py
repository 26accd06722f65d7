"""Instants that people type, in a form of the UI or on the command line."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator


def aware(instant: datetime) -> datetime:
    """The same instant with its zone; without one it is UTC, whatever the zone of the machine."""
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


Instant = Annotated[datetime, AfterValidator(aware)]
"""The type of a flow's parameter: what is no instant ends the run with an error that names the parameter."""
