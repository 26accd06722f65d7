"""Whether what was loaded is whole enough to be shown: too many refused records hold a channel's figures back.

Nothing is stored for it: a run holds its account back as long as more than `rows` of the records it refused,
and more than `rate` of all it read, still wait in the quarantine, neither loaded since nor accepted.
"""

from dataclasses import dataclass

from sqlalchemy import Engine, text


@dataclass(frozen=True)
class Limits:
    """More than this is too much: `rate` of the records a run read, and `rows` of them. `rate` 1: never."""

    rate: float = 0.05
    rows: int = 20


@dataclass(frozen=True)
class Held:
    """One run that holds its account's figures back."""

    account: str
    resource: str
    run_id: int
    refused: int
    rows: int
    channel_ids: tuple[int, ...]

    @property
    def reason(self) -> str:
        """One line for a person, with what to do."""
        return (
            f"{self.account} {self.resource}: {self.refused} of {self.rows} records of run {self.run_id} were refused "
            f"and wait; its figures stay as published. See `wharf quarantine list`, then replay or accept them"
        )


def held(engine: Engine, limits: Limits) -> list[Held]:
    """Every run that holds something back now."""
    with engine.connect() as connection:
        rows = connection.execute(text(_HELD), {"rate": limits.rate, "rows": limits.rows}).all()
    return [
        Held(row.account, row.resource, row.run_id, row.refused, row.rows_read, tuple(row.channel_ids))
        for row in rows
    ]


# Sales are what is published by channel and day; stock that is refused is held by other means.
_HELD = """
    SELECT r.account, r.resource, r.id AS run_id, w.refused, r.rows_read,
           ARRAY(SELECT c.id FROM core.channels c WHERE c.account = r.account ORDER BY c.id) AS channel_ids
    FROM (
        SELECT q.run_id, count(DISTINCT (q.channel, q.resource, q.natural_key)) AS refused FROM ops.quarantine q
        WHERE q.replayed_at IS NULL AND q.accepted_at IS NULL AND q.run_id IS NOT NULL
        GROUP BY q.run_id
    ) w
    JOIN ops.runs r ON r.id = w.run_id
    WHERE r.resource IN ('orders', 'refunds', 'fees', 'carts') AND r.account IS NOT NULL
      AND w.refused > :rows AND w.refused > :rate * r.rows_read
    ORDER BY r.id
"""
