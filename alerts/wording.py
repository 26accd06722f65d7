"""Facts into words: title and message of each alert type, with figures in the reader's locale. Pure.

A message says what is so, since when or by when, and what to do. The rules word alerts in the default
locale for the table; the renderer words them again for each recipient from the same facts.
"""

from collections.abc import Callable, Mapping
from typing import Any

from alerts.localize import DEFAULT, Locale
from alerts.text import one_line

Facts = Mapping[str, Any]
_LONGEST_NAME = 80


def title(alert_type: str, facts: Facts, locale: Locale = DEFAULT) -> str:
    """One line, without the severity; marketplace text in it is on one line and clipped."""
    worded = _TITLES.get(alert_type)
    return worded(facts, locale) if worded else one_line(facts.get("title", alert_type), 150)


def message(alert_type: str, facts: Facts, locale: Locale = DEFAULT) -> str:
    """A few sentences, what to do last."""
    worded = _MESSAGES.get(alert_type)
    sentences = worded(facts, locale) if worded else [one_line(facts.get("message", ""))]
    return " ".join(sentence for sentence in sentences if sentence)


def product(facts: Facts) -> str:
    """`Blue mug (MUG-01)`, or the SKU alone."""
    name, sku = one_line(facts.get("name") or "", _LONGEST_NAME), one_line(facts.get("sku") or "", 60)
    return f"{name} ({sku})" if name and name != sku else sku


def channel_name(channel: str) -> str:
    """`amazon-us` as people say it: Amazon US; `shopify-harbor`: Shopify harbor."""
    platform, _, rest = one_line(channel, 60).partition("-")
    return f"{platform.capitalize()} {rest.upper() if len(rest) == 2 else rest}".strip()


def channel_list(channels: list[str]) -> str:
    """`Amazon US`, `Amazon US and Walmart US`, `A, B and C`."""
    names = [channel_name(name) for name in channels]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


# -- stock -----------------------------------------------------------------------------------------


def _stockout_title(facts: Facts, _: Locale) -> str:
    return f"Out of stock: {product(facts)} on {channel_list(facts['channels'])}"


def _low_stock_title(facts: Facts, locale: Locale) -> str:
    days = facts.get("days_of_cover")
    left = f": {_days(days, locale)} left" if days is not None else ""
    return f"Low stock: {product(facts)}{left}"


def _restock_title(facts: Facts, locale: Locale) -> str:
    many = facts.get("order_quantity")
    return f"Reorder {locale.number(many, 0)} of {product(facts)}" if many else f"Reorder {product(facts)}"


def _stockout(facts: Facts, locale: Locale) -> list[str]:
    return [
        f"Nothing is available on {channel_list(facts['channels'])}{_elsewhere(facts, locale)}.",
        f"It sells about {locale.number(facts['mean_daily'])} a day{_inbound(facts, locale)}.",
        _delivery(facts, locale),
        _order(facts, locale),
        _also(facts, locale),
    ]


def _low_stock(facts: Facts, locale: Locale) -> list[str]:
    runs_out = facts.get("stockout_date")
    when = f", enough until about {locale.date(runs_out)}" if runs_out else ""
    return [
        f"{locale.number(facts['available'], 0)} left on {channel_list(facts['channels'])}{when} "
        f"at about {locale.number(facts['mean_daily'])} a day{_inbound(facts, locale)}.",
        _delivery(facts, locale),
        _chance(facts, locale),
        _order(facts, locale),
        _also(facts, locale),
    ]


def _restock(facts: Facts, locale: Locale) -> list[str]:
    point = facts.get("reorder_point")
    reached = f", at or below the reorder point of {locale.number(point, 0)}" if point is not None else ""
    return [
        f"{locale.number(facts['available'], 0)} left on {channel_list(facts['channels'])}"
        f"{_inbound(facts, locale)}{reached}.",
        _chance(facts, locale),
        _order(facts, locale),
    ]


def _overstock(facts: Facts, locale: Locale) -> list[str]:
    return [
        f"{locale.number(facts['available'], 0)} on {channel_list(facts['channels'])} last about "
        f"{_days(facts['days_of_cover'], locale)} at {locale.number(facts['mean_daily'])} a day.",
        "Order no more; consider a promotion or moving stock to a channel where it sells.",
    ]


def _slow_mover(facts: Facts, locale: Locale) -> list[str]:
    return [
        f"{locale.number(facts['available'], 0)} on {channel_list(facts['channels'])} and hardly any sales "
        f"expected ({locale.number(facts['mean_daily'] * 30)} in 30 days).",
        "Check the listing and its price, or clear it out.",
    ]


def _chance(facts: Facts, locale: Locale) -> str:
    chance, lead = facts.get("p_stockout_lead_time"), facts.get("lead_time_days")
    if chance is None or lead is None:
        return ""
    return (
        f"Chance of running out before a delivery ordered today arrives ({_days(lead, locale)}): "
        f"{locale.percent(chance)}."
    )


def _order(facts: Facts, locale: Locale) -> str:
    many = facts.get("order_quantity")
    if not many:
        return ""
    by, lead = facts.get("order_by_date"), facts.get("lead_time_days")
    late = by is not None and by <= facts.get("today", "")
    when = "today" if late else f"by {locale.date(by)}" if by else "soon"
    arrives = f"; delivery takes {_days(lead, locale)}" if lead is not None else ""
    return f"Order {locale.number(many, 0)} {when}{arrives}."


def _inbound(facts: Facts, locale: Locale) -> str:
    inbound = facts.get("inbound") or 0
    return f", {locale.number(inbound, 0)} more on the way" if inbound > 0 else ""


def _delivery(facts: Facts, locale: Locale) -> str:
    """When what is on its way should be there, from how long earlier orders took."""
    if not facts.get("inbound"):
        return ""
    if facts.get("overdue_days"):
        late = facts["overdue_days"]
        return f"The delivery is {_days(late, locale)} later than usual: ask where it is."
    comes, runs_out = facts.get("delivery_date"), facts.get("stockout_date")
    if comes is None:
        return ""
    if runs_out is None or runs_out >= comes:
        return f"A delivery is expected about {locale.date(comes)}."
    return f"The delivery is expected about {locale.date(comes)}, too late: can it be hurried?"


def _also(facts: Facts, locale: Locale) -> str:
    """What the same SKU needs on other channels, where it stands better."""
    needs = []
    for row in facts.get("also", []):
        days, many, by = row["days_of_cover"], row["order_quantity"], row["order_by_date"]
        left = f" ({_days(days, locale)} left)" if row["state"] != "restock" and days is not None else ""
        order = f", order {locale.number(many, 0)}" if many else ""
        when = f" by {locale.date(by)}" if order and by and by > facts.get("today", "") else ""
        needs.append(f"{channel_name(row['channel'])}{left}{order}{when}")
    return f"Also low: {'; '.join(needs)}." if needs else ""


def _elsewhere(facts: Facts, locale: Locale) -> str:
    others = [
        f"{locale.number(row['available'], 0)} on {channel_name(row['channel'])}"
        for row in facts.get("listings", [])
        if row["available"] > 0
    ]
    return f" (still {', '.join(others)})" if others else ""


def _days(days: float, locale: Locale) -> str:
    count = max(0.0, float(days))
    if count < 1:
        return "less than a day"
    whole = int(count)
    return "1 day" if whole == 1 else f"{locale.number(whole, 0)} days"


# -- demand ----------------------------------------------------------------------------------------


def _anomaly_title(facts: Facts, locale: Locale) -> str:
    if facts["observed"] == 0:
        return f"No orders: {_demand_subject(facts)}"
    what = "Orders have dropped" if facts["direction"] == "drop" else "Orders have jumped"
    return f"{what}: {_demand_subject(facts)}, {_change(facts, locale)}"


def _anomaly(facts: Facts, locale: Locale) -> list[str]:
    observed, expected = locale.number(facts["observed"], 0), locale.number(facts["expected"])
    if facts["period"] == "day":
        day = locale.date(facts.get("date") or facts["start_at"])
        said = f"{observed} orders on {day}; such a day should bring about {expected}."
    elif facts.get("is_quiet"):
        said = (
            f"The last order came {locale.instant(facts['start_at'])}; about {expected} are usual since then."
        )
    else:
        said = (
            f"{observed} orders in the {_hours(facts, locale)} from {locale.instant(facts['start_at'])}; at this "
            f"time of the week about {expected} are usual."
        )
    return [said, *(_why(one, locale) for one in facts.get("why", ())), _what_to_check(facts)]


# What the records may say of a fall, in the words of a message.
_CAUSES = {
    "stock_out": "out of stock",
    "lost_listing": "its listing is not active",
    "price_rise": "its price rose",
    "delivery_delay": "it ships late",
}
_CARRIES = 0.4  # of a fall: a part that carries less explains nothing


def _why(one: Facts, locale: Locale) -> str:
    """What is at stake on a channel, which part of the assortment or the country carries it, and a cause."""
    orders, revenue = locale.number(one["missing_orders"], 0), locale.number(one["missing_revenue"], 0)
    money = (
        f", {revenue} {one['currency']} of sales"
        if one.get("currency") and one["missing_revenue"] >= 1
        else ""
    )
    said = f"Missing on {channel_name(one['channel'])}: about {orders} orders{money}"
    part = next((part for part in one["parts"] if part["contribution"] >= _CARRIES and part["value"]), None)
    if part is not None:
        of = {"sku": "", "category": "category ", "region": "buyers in "}.get(part["dimension"], "")
        said += f"; {locale.percent(min(part['contribution'], 1.0))} of it {of}{one_line(part['value'], 60)}"
    elif one["parts"]:
        said += "; spread over the assortment"
    causes = [
        f"{one_line(cause['sku'], 60)}: {_CAUSES.get(cause['cause'], one_line(cause['cause'], 40))}"
        for cause in one["causes"]
    ]
    return f"{said}. {'; '.join(causes)}." if causes else f"{said}."


def span(facts: Facts, locale: Locale) -> str:
    """How long was counted: `in 3 hours`, `in an hour`, `in a day`, `in 7 days`."""
    if facts.get("days"):
        return f"in {_days(facts['days'], locale)}"
    if facts["period"] == "day":
        return "in a day"
    hours = _hours(facts, locale)
    return "in an hour" if hours == "hour" else f"in {hours}"


def _hours(facts: Facts, locale: Locale) -> str:
    """`hour`, `3 hours`, `40 minutes`: how long was counted."""
    hours = float(facts.get("hours") or 1)
    if hours == 1:
        return "hour"
    return _minutes(hours * 60, locale) if hours < 2 else f"{locale.number(round(hours, 1))} hours"


def _what_to_check(facts: Facts) -> str:
    if facts["direction"] == "spike":
        return "Check the price and the stock: a wrong price or a mention may be behind it."
    if facts.get("is_listed") is False:
        return "The listing is no longer active: see why the marketplace took it down."
    if facts.get("sku") or facts.get("category"):
        return "Check that the listing is live, priced right and still holds the buy box."
    return "Check that the marketplace is up and that the account is in good standing."


def _trending_title(facts: Facts, locale: Locale) -> str:
    return f"Trending: {_demand_subject(facts)}, {_change(facts, locale)}"


def _trending(facts: Facts, locale: Locale) -> list[str]:
    return [
        f"{locale.number(facts['observed'], 0)} orders in {_days(facts['days'], locale)} where about "
        f"{locale.number(facts['expected'])} are usual.",
        "Check that the stock on hand and the next order keep up.",
    ]


def _demand_subject(facts: Facts) -> str:
    if facts.get("sku"):
        return (
            f"{product(facts)} on {channel_list(facts['channels'])}" if facts["channels"] else product(facts)
        )
    if facts.get("category"):
        return f"{one_line(facts['category'], 60)} on {channel_list(facts['channels'])}"
    return channel_list(facts["channels"]) or channel_name(facts["accounts"][0])


def _change(facts: Facts, locale: Locale) -> str:
    rate = facts["observed"] / facts["expected"] - 1
    sign = "+" if rate > 0 else "−"
    return f"{sign}{locale.number(abs(round(rate * 100)), 0)}%"


# -- data ------------------------------------------------------------------------------------------


def _stale_title(facts: Facts, _: Locale) -> str:
    return f"{channel_name(facts['accounts'][0])} {one_line(facts['resource'], 40)} have not been synced"


def _stale(facts: Facts, locale: Locale) -> list[str]:
    last = facts.get("last_sync_at")
    since = f"The last successful sync was {locale.instant(last)}" if last else "There was no sync yet"
    return [
        f"{since}; one is due every {_minutes(facts['every_minutes'], locale)}.",
        "Alerts computed from this feed are held back until it is current again.",
        "Run `wharf doctor` to see what is wrong.",
    ]


def _refused_title(facts: Facts, locale: Locale) -> str:
    return (
        f"{locale.number(facts['refused'], 0)} {one_line(facts['resource'], 40)} of "
        f"{channel_name(facts['accounts'][0])} were refused"
    )


def _refused(facts: Facts, locale: Locale) -> list[str]:
    return [
        f"{locale.number(facts['refused'], 0)} of {locale.number(facts['rows'], 0)} records did not pass the "
        "checks and are kept aside; everything else was loaded.",
        "See them with `wharf quarantine list` and load them again with `wharf quarantine replay`.",
    ]


_DRIFTS = {"wape": "error", "bias": "bias", "cover80": "80 % bounds"}


def _drift_title(facts: Facts, locale: Locale) -> str:
    return f"Forecasts are worse than measured: {_DRIFTS.get(facts['measure'], 'error')}"


def _drift(facts: Facts, locale: Locale) -> list[str]:
    def told(value: float) -> str:
        if facts["measure"] == "bias":
            return f"{locale.percent(abs(value))} {'above' if value > 0 else 'below'} what was sold"
        what = "of the days within the 80 % bounds" if facts["measure"] == "cover80" else "of the units wrong"
        return f"{locale.percent(value)} {what}"

    return [
        f"Forecasts since {locale.date(facts['since'])}: {told(facts['found'])}. The backtest of the models in use "
        f"had {told(facts['promised'])}.",
        "The models are trained anew, once a week at most. If it stays so, look at what changed: prices, promotions, "
        "stock.",
    ]


def _difference_title(facts: Facts, locale: Locale) -> str:
    return f"Figures differ: {one_line(facts['measure'], 40)} of {channel_list(facts['channels'])}"


def _difference(facts: Facts, locale: Locale) -> list[str]:
    return [
        f"On {locale.date(facts['date'])} the warehouse holds {locale.number(facts['expected'], 2)}, the "
        f"published summary {locale.number(facts['observed'], 2)}.",
        "Publish the day again with `wharf rollup` and compare with `wharf reconcile`.",
    ]


def _minutes(minutes: float, locale: Locale) -> str:
    if minutes < 120:
        return f"{locale.number(round(minutes), 0)} minutes"
    return f"{locale.number(round(minutes / 60), 0)} hours"


_TITLES: dict[str, Callable[[Facts, Locale], str]] = {
    "stockout": _stockout_title,
    "low_stock": _low_stock_title,
    "restock": _restock_title,
    "overstock": lambda facts, locale: (
        f"Overstock: {product(facts)}, {_days(facts['days_of_cover'], locale)}"
    ),
    "slow_mover": lambda facts, _: f"Hardly sells: {product(facts)}",
    "anomaly": _anomaly_title,
    "trending": _trending_title,
    "data_stale": _stale_title,
    "refused_rows": _refused_title,
    "forecast_drift": _drift_title,
    "reconciliation": _difference_title,
}
_MESSAGES: dict[str, Callable[[Facts, Locale], list[str]]] = {
    "stockout": _stockout,
    "low_stock": _low_stock,
    "restock": _restock,
    "overstock": _overstock,
    "slow_mover": _slow_mover,
    "anomaly": _anomaly,
    "trending": _trending,
    "data_stale": _stale,
    "refused_rows": _refused,
    "forecast_drift": _drift,
    "reconciliation": _difference,
}
