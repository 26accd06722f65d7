"""Which of the orders we keep the shop no longer has: deleting an order tells nobody of it.

The shop is asked for the very ids that are kept, so a list cut short can never look like a deletion. An order beyond
the wall of 60 days is invisible to an app without read_all_orders: the caller does not ask for those.
"""

from collections.abc import Sequence

import msgspec

from connectors.client import ChannelClient
from connectors.errors import ProtocolError
from connectors.shopify import queries
from connectors.shopify.ask import ask

_MOST = 250  # ids one query may name


def gone(client: ChannelClient, ids: Sequence[str]) -> set[str]:
    """Those of `ids` (numbers of orders) that the shop answers with nothing. Raises ConnectorError."""
    missing: set[str] = set()
    for start in range(0, len(ids), _MOST):
        batch = ids[start : start + _MOST]
        asked = [f"gid://shopify/Order/{number}" for number in batch]
        data = ask(client, "Existing", queries.EXISTING, {"ids": asked})
        found = msgspec.json.decode(data.get("nodes", b"[]"), type=list[dict[str, str] | None])
        if len(found) != len(batch):
            raise ProtocolError(
                f"{client.account.name} Existing: {len(batch)} asked for, {len(found)} answered; nothing is believed"
            )
        missing |= {number for number, node in zip(batch, found, strict=True) if node is None}
    return missing
