"""What buyers of the sandbox say of the seller: lines of the feedback report, the same each time it is asked for.

Some of the orders that arrived are spoken of, days later; those whose goods came back mostly badly. Dates are days,
written as in the marketplace's country.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from connectors.sandbox.amazon_orders import order_id
from connectors.sandbox.world import Market, Order, World

FEEDBACK_HEADER = [
    "Date", "Rating", "Comments", "Your Response", "Arrived on Time", "Item as Described", "Customer Service",
    "Order ID", "Rater Email", "Rater Role",
]  # fmt: skip
SHARE = 0.08  # of the orders that arrived
LATEST = timedelta(days=20)  # after the arrival
_REACH = timedelta(days=60)  # from an order's creation to the last it may be spoken of
_BATCH = 2000
_BAD = (
    "Arrived late and nobody answered", "The box was crushed and the item damaged", "Stopped working after a day",
    "Not as described, the color is different", "Wrong item, size too small", "Cheap material, poor quality",
    "Item missing from the parcel. Call me at 555-0100-4477",
)  # fmt: skip
_FAIR = ("Okay for the price", "Good product, slow delivery", "Packaging could be better")
_GOOD = ("Fast delivery, great seller", "Exactly as described", "Excellent quality", "Will buy again", "")


def feedback_lines(
    world: World, market: Market, since: datetime, until: datetime, now: datetime
) -> Iterator[str]:
    """Lines about what was said in the market in [since, until), as far as it was said at `now`."""
    numbers = world.orders_between(market.channel, now, created_since=since - _REACH, created_until=until)
    for start in range(0, len(numbers), _BATCH):
        for order in world.orders(numbers[start : start + _BATCH], now):
            said = _said(order, now)
            if said is not None and since <= said[0] < until:
                yield _line(order, market, *said)


def _said(order: Order, now: datetime) -> tuple[datetime, int, str] | None:
    """When something was said of an order, how many stars and what; None when nothing was, or not yet."""
    if order.delivered_at is None or order.delivered_at > now or order.is_replacement:
        return None
    draw = Random(order.number)  # noqa: S311 no secret: the same order always says the same
    if draw.random() >= SHARE:
        return None
    at = order.delivered_at + LATEST * draw.random()
    if at > now:
        return None
    came_back = any(refund.is_return for refund in order.refunds)
    stars = draw.choices((1, 2, 3, 4, 5), (40, 25, 15, 10, 10) if came_back else (5, 4, 6, 20, 65))[0]
    return at, stars, draw.choice(_BAD if stars < 3 else _FAIR if stars == 3 else _GOOD)


def _line(order: Order, market: Market, at: datetime, stars: int, words: str) -> str:
    good = "Yes" if stars > 2 else "No"
    email = f"b{order.number:x}@marketplace.amazon.{_DOMAINS.get(market.country, 'com')}"
    day = _written(at.astimezone(ZoneInfo(market.timezone)).date(), market.country)
    fields = [day, str(stars), words, "", good, good, "", order_id(order.number), email, "Buyer"]
    return "\t".join(fields) + "\n"


_DOMAINS = {"GB": "co.uk", "JP": "co.jp", "DE": "de", "FR": "fr", "IT": "it", "ES": "es", "CA": "ca"}


def _written(day: date, country: str) -> str:
    if country == "US":
        return f"{day.month}/{day.day}/{day:%y}"
    if country == "JP":
        return f"{day:%y/%m/%d}"
    return f"{day:%d.%m.%y}" if country == "DE" else f"{day:%d/%m/%y}"
