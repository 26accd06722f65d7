"""The example queries of the data dictionary give what core gives, each figure computed there another way."""

from datetime import date, datetime
from decimal import Decimal

import polars as pl
import pytest

from tests.warehouse_factories import DAY, HOUR, OTHER, SHOP, T0, Loader, line, order, refund, stock
from warehouse import dictionary, forecasts, rates, rates_file, rollup
from warehouse.rates import Reporting

QUERIES = {path.stem: path.read_text() for path in sorted((dictionary.DOCS / "queries").glob("*.sql"))}

# The answer of each query from core alone. `money`: lines as they count, with their orders.
_MONEY = """
    WITH lines AS (
        SELECT o.id, o.order_date, o.customer_key, o.ship_country, o.ship_region, c.name AS channel, o.currency, p.sku,
               p.cost_price, i.refunded_quantity, i.refunded_net_amount, i.refunded_amount,
               CASE WHEN o.status = 'cancelled' THEN 0 ELSE i.quantity - i.cancelled_quantity END AS units,
               CASE WHEN o.status = 'cancelled' THEN 0 ELSE i.net_amount END AS net
        FROM core.orders o JOIN core.channels c ON c.id = o.channel_id JOIN core.order_items i ON i.order_id = o.id
        LEFT JOIN core.products p ON p.id = i.product_id WHERE NOT o.is_test
    )
"""
FROM_CORE = {
    "01_revenue_by_day": _MONEY
    + """
        SELECT order_date, 'USD', sum(round((net - coalesce(refunded_net_amount, 0))
               * CASE currency WHEN 'USD' THEN 1 WHEN 'EUR' THEN 1.25 END, 4)), sum(units), 0
        FROM lines WHERE units > 0 AND order_date > (SELECT max(order_date) - 28 FROM lines WHERE units > 0)
        GROUP BY 1 ORDER BY 1 DESC
    """,
    "02_months_by_channel": """
        SELECT date_trunc('month', o.order_date)::date, c.name, o.currency,
               count(*) FILTER (WHERE o.status <> 'cancelled'),
               sum(l.net) FILTER (WHERE o.status <> 'cancelled'),
               round(sum(l.net) FILTER (WHERE o.status <> 'cancelled')
                     / count(*) FILTER (WHERE o.status <> 'cancelled'), 2),
               round(1.0 * count(*) FILTER (WHERE o.status = 'cancelled') / count(*), 4)
        FROM core.orders o JOIN core.channels c ON c.id = o.channel_id
        JOIN LATERAL (SELECT sum(net_amount - coalesce(refunded_net_amount, 0)) AS net FROM core.order_items i
                      WHERE i.order_id = o.id) l ON true
        WHERE NOT o.is_test GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3
    """,
    "03_top_products": _MONEY
    + """
        SELECT sku, sku, channel, sum(net - coalesce(refunded_net_amount, 0)) FILTER (WHERE recent),
               sum(units) FILTER (WHERE recent), round(sum(units) FILTER (WHERE recent) / 28.0, 2), NULL, NULL
        FROM lines CROSS JOIN LATERAL (SELECT order_date > DATE '2026-04-30' - 28 AS recent) r
        WHERE order_date <= DATE '2026-04-30' AND units > 0 GROUP BY 1, 2, 3 ORDER BY 4 DESC NULLS LAST, 1, 3
    """,
    "04_regions": _MONEY
    + """
        SELECT coalesce(ship_country, ''), coalesce(ship_region, ''), currency, count(DISTINCT id),
               sum(net - coalesce(refunded_net_amount, 0))
        FROM lines WHERE units > 0 GROUP BY 1, 2, 3 ORDER BY 5 DESC, 1, 2
    """,
    "05_refunds": """
        SELECT date_trunc('month', r.refunded_at AT TIME ZONE c.timezone)::date, r.currency, sum(r.quantity),
               sum(r.amount), round(avg((r.refunded_at AT TIME ZONE c.timezone)::date - o.order_date), 1)
        FROM core.refunds r JOIN core.channels c ON c.id = r.channel_id
        JOIN core.orders o ON o.channel_id = c.id AND o.external_id = r.order_external_id
        GROUP BY 1, 2 ORDER BY 1 DESC, 2
    """,
    "06_margin": _MONEY
    + """
        , sales AS (SELECT sku, currency, sum(net - coalesce(refunded_net_amount, 0)) AS revenue, sum(units) AS units,
                           max(cost_price) / CASE currency WHEN 'EUR' THEN 1.25 ELSE 1 END AS cost
                    FROM lines WHERE units > 0 GROUP BY 1, 2),
        fees AS (SELECT coalesce(p.sku, '') AS sku, f.currency, sum(f.amount) AS fees FROM core.fees f
                 LEFT JOIN core.products p ON p.id = f.product_id GROUP BY 1, 2)
        SELECT sku, currency, coalesce(revenue, 0), coalesce(fees, 0),
               CASE WHEN s.sku IS NULL THEN 0 ELSE cost * units END,
               coalesce(revenue, 0) - coalesce(fees, 0) - CASE WHEN s.sku IS NULL THEN 0 ELSE cost * units END,
               CASE WHEN s.sku IS NOT NULL AND cost IS NULL THEN units ELSE 0 END
        FROM sales s FULL JOIN fees f USING (sku, currency) ORDER BY 6 DESC NULLS LAST, 1
    """,
    "07_days_of_cover": """
        SELECT p.sku, c.name, sum(i.quantity_available), sum(i.quantity_inbound), NULL, NULL, 0, NULL
        FROM core.inventory i JOIN core.products p ON p.id = i.product_id JOIN core.channels c ON c.id = i.channel_id
        GROUP BY 1, 2 ORDER BY 1, 2
    """,
    "08_funnel": """
        SELECT m.month, c.name, 'USD', m.orders, coalesce(k.abandoned, 0), coalesce(k.recovered, 0),
               coalesce(k.amount, 0), round(1.0 * m.orders / (m.orders + coalesce(k.abandoned, 0)), 4)
        FROM (SELECT date_trunc('month', order_date)::date AS month, channel_id, count(*) AS orders FROM core.orders
              GROUP BY 1, 2) m
        JOIN core.channels c ON c.id = m.channel_id AND c.platform = 'shopify'
        LEFT JOIN (SELECT date_trunc('month', created_at)::date AS month, channel_id,
                          count(*) FILTER (WHERE completed_at IS NULL) AS abandoned, count(completed_at) AS recovered,
                          sum(total) FILTER (WHERE completed_at IS NULL) AS amount
                   FROM core.carts GROUP BY 1, 2) k ON k.month = m.month AND k.channel_id = m.channel_id
        ORDER BY 1 DESC
    """,
    "09_cohorts": _MONEY
    + """
        , orders AS (SELECT customer_key, currency, id, min(order_date) AS day,
                            sum(net - coalesce(refunded_net_amount, 0)) AS net
                     FROM lines WHERE customer_key IS NOT NULL AND units > 0 GROUP BY 1, 2, 3),
        people AS (SELECT customer_key, currency, count(*) AS orders, sum(net) AS net,
                          min(min(day)) OVER (PARTITION BY customer_key) AS first FROM orders GROUP BY 1, 2)
        SELECT date_trunc('month', first)::date, currency, count(*), count(*) FILTER (WHERE orders > 1), sum(net),
               round(sum(net) / count(*), 2) FROM people GROUP BY 1, 2 ORDER BY 1 DESC, 2
    """,
    "10_forecast_accuracy": """
        SELECT 'ensemble', 1, count(*), sum(coalesce(s.units, 0)),
               round(sum(abs(coalesce(s.units, 0) - f.predicted_units)) / sum(s.units), 4),
               round(avg((coalesce(s.units, 0) BETWEEN f.lower_80 AND f.upper_80)::int), 4)
        FROM core.forecasts f LEFT JOIN (
            SELECT order_date, sum(quantity) AS units FROM core.order_items i JOIN core.orders o ON o.id = i.order_id
            JOIN core.products p ON p.id = i.product_id WHERE p.sku = 'A' GROUP BY 1
        ) s ON s.order_date = f.forecast_date WHERE f.forecast_date <= '2026-04-30'
    """,
}


@pytest.fixture(scope="module")
def shown(migrated, published):
    """The published warehouse, and rows of a query against core."""
    shop, other = Loader(migrated), Loader(migrated, "amazon", places=(OTHER,))
    until = datetime.fromisoformat("2026-05-01T16:00:00Z")
    costs = [("A", "4"), ("B", None), ("C", "1.5")]
    shop.load(
        {
            "products": [
                {
                    "channel": SHOP.name,
                    "external_id": sku,
                    "sku": sku,
                    "name": sku,
                    "cost_price": None if cost is None else Decimal(cost),
                    "currency": "USD",
                    "source_updated_at": T0,
                }
                for sku, cost in costs
            ]
        },
        resource="products",
    )
    days = [T0 + n * DAY for n in range(1, 60, 4)]
    shop.load(
        {
            "orders": [
                order(
                    f"S{n}",
                    at=at,
                    customer_key=f"k{n % 4}",
                    ship_country="US",
                    ship_region=("NY", "CA")[n % 2],
                )
                | ({"status": "cancelled", "cancelled_at": at + HOUR} if n == 5 else {})
                for n, at in enumerate(days)
            ],
            "order_items": [line(f"S{n}", sku="A", quantity=2, net=f"{20 + n}") for n in range(len(days))]
            + [line(f"S{n}", "2", sku="B", net="7.77") for n in range(0, len(days), 3)],
            "refunds": [refund(f"S{n}", f"r{n}", at=days[n] + 9 * DAY) for n in (1, 2, 12)],
            "fees": [
                {
                    "channel": SHOP.name,
                    "fee_id": f"f{n}",
                    "order_external_id": f"S{n}",
                    "line_id": "1",
                    "fee_type": "Commission",
                    "amount": Decimal("1.21"),
                    "currency": "USD",
                    "posted_at": at,
                }
                for n, at in enumerate(days)
            ]
            + [
                {
                    "channel": SHOP.name,
                    "fee_id": "plan",
                    "fee_type": "Subscription",
                    "amount": Decimal(39),
                    "currency": "USD",
                    "posted_at": T0,
                }
            ],
        },
        until=until,
        advance=True,
    )
    shop.load(
        {
            "carts": [
                {
                    "channel": SHOP.name,
                    "external_id": f"c{n}",
                    "created_at": T0 + n * DAY,
                    "source_updated_at": T0,
                    "completed_at": T0 + 20 * DAY if n % 3 == 0 else None,
                    "currency": "USD",
                    "total": Decimal(10 + n),
                }
                for n in range(7)
            ]
        },
        resource="carts",
    )
    shop.load({"inventory": [stock("A", 40), stock("C", 0)]}, resource="inventory", until=until, advance=True)
    other.load(
        {
            "orders": [
                order(f"E{n}", channel=OTHER.name, currency="EUR", at=at) for n, at in enumerate(days[::2])
            ],
            "order_items": [
                line(f"E{n}", sku="C", channel=OTHER.name, net="12.34") for n in range(len(days[::2]))
            ],
        },
        until=until,
        advance=True,
    )
    usd = Reporting("USD", 31)
    text = "date,currency,rate\n" + "".join(f"2026-0{month}-01,EUR,1.25\n" for month in (3, 4, 5))
    rates.save(migrated, rates_file.parse(text.encode(), "USD"), usd, "test")
    numbers = {"yhat": 2.5, "lo80": 1.0, "hi80": 4.0, "lo95": 0.0, "hi95": 5.0}
    made = pl.DataFrame(
        {
            "series_id": [f"{SHOP.name}|A"] * 4,
            "date": [date(2026, 4, 28) + n * DAY for n in range(4)],
            "model": ["ensemble"] * 4,
            **{name: [value] * 4 for name, value in numbers.items()},
        }
    )
    forecasts.save(migrated, made, datetime.fromisoformat("2026-04-28T12:00:00Z"))
    rollup.publish(migrated, published, reporting=usd)
    return shop, published


def test_there_are_ten_and_each_is_checked():
    assert len(QUERIES) == 10
    assert QUERIES.keys() == FROM_CORE.keys()


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_gives_what_core_gives(shown, name):
    shop, client = shown
    found = client.query(QUERIES[name]).result_rows
    wanted = shop.rows(FROM_CORE[name])
    assert found
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        pairs = [(left, right) for left, right in zip(ours, theirs, strict=False) if right is not None]
        for left, right in pairs:
            numbers = isinstance(right, (int, float, Decimal))
            assert left == (pytest.approx(float(right)) if isinstance(left, float) and numbers else right), (
                ours,
                theirs,
            )
