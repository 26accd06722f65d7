"""A sender process for tests that kill it: claims, delivers and settles until the outbox is empty.

python -m tests.alerts_sender DATABASE_URL RECEIVERS_URL SECONDS_AHEAD
"""

import sys
from datetime import UTC, datetime, timedelta

from alerts.dispatch import deliver
from alerts.receivers.app import environment
from alerts.senders import senders_for
from alerts.settings import AlertSettings
from warehouse import outbox
from warehouse.engines import postgres


def main() -> None:
    database_url, receivers_url, ahead = sys.argv[1:]
    engine = postgres(database_url)
    known = {key.lower(): value for key, value in environment(receivers_url).items()}
    senders = senders_for(AlertSettings(_env_file=None, **known), lambda: datetime.now(UTC))
    print("ready", flush=True)
    while True:
        now = datetime.now(UTC) + timedelta(seconds=float(ahead))
        claimed = outbox.claim_due(engine, now, 1)
        if not claimed:
            return
        outbox.settle(engine, [result.as_dict() for result in deliver(claimed, senders, now)], now)


if __name__ == "__main__":
    main()
