"""What the demo shows beyond sales: stock, customers, regions, earnings, what buyers say. One line and picture each."""

import base64
import re
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

from prefect.artifacts import Artifact
from rich import box
from rich.console import Console
from rich.table import Table

from flows import connections
from flows.customer_insight import customer_insight
from flows.feedback import feedback
from flows.inventory_planning import inventory_planning
from flows.performance import performance

PICTURES = ("inventory-planning", "customer-insight", "performance", "feedback")  # artifacts that hold some
# The question, the table that answers it, and one row of one text; amounts with their currency.
LINES = (
    (
        "What to order now",
        "replenishment",
        "SELECT concat(toString(count()), ' orders; first ',"
        " toString(toUInt64(argMax(r.order_quantity, -r.days_of_cover))), ' of ',"
        " argMax(p.name, -r.days_of_cover), ' on ', argMax(c.name, -r.days_of_cover))"
        " FROM analytics.replenishment r JOIN analytics.products p ON p.product_id = r.product_id"
        " JOIN analytics.channels c ON c.channel_id = r.channel_id WHERE r.order_quantity > 0 HAVING count() > 0",
    ),
    (
        "What may run out within 14 days",
        "stockout_risk",
        "SELECT concat(toString(countIf(risk = 'high')), ' SKUs on channels at high risk, ',"
        " toString(countIf(risk = 'medium')), ' at medium, ', toString(countIf(risk = 'low')), ' at low')"
        " FROM analytics.stockout_risk WHERE horizon_days = 14",
    ),
    (
        "What carries the business",
        "sku_classes",
        "SELECT concat(toString(countIf(abc = 'A')), ' of ', toString(count()), ' SKUs on channels make 80 %; ',"
        " toString(countIf(is_slow)), ' are slow, ', toString(countIf(is_dead)), ' dead') FROM analytics.sku_classes",
    ),
    (
        "Who comes back",
        "customer_value",
        "SELECT concat(toString(count()), ' customers of the shop, ', toString(round(100 * avg(orders > 1))),"
        " ' % came back; VIP: ', toString(countIf(segment = 'VIP')),"
        " ', at risk: ', toString(countIf(segment = 'at risk')))"
        " FROM analytics.customer_value WHERE currency = (SELECT argMax(currency, n) FROM"
        " (SELECT currency, count() AS n FROM analytics.customer_value GROUP BY currency)) HAVING count() > 0",
    ),
    (
        "What a reminder can still reach",
        "cart_abandonment",
        "SELECT concat(toString(sum(recoverable_amount)), ' ', currency, ' of ', toString(sum(carts)), ' left baskets')"
        " FROM analytics.cart_abandonment GROUP BY currency ORDER BY sum(carts) DESC LIMIT 1",
    ),
    (
        "What is bought together",
        "bought_together",
        "SELECT concat(p.name, ' with ', o.name, ', lift ', toString(round(b.lift, 1)))"
        " FROM analytics.bought_together b JOIN analytics.products p ON p.product_id = b.product_id"
        " JOIN analytics.products o ON o.product_id = b.other_product_id"
        " ORDER BY b.orders_both * (1 - 1 / b.lift) DESC, p.name LIMIT 1",
    ),
    (
        "Which region grows",
        "region_performance",
        "SELECT concat(ship_country, if(ship_region = '', '', '-'), ship_region, ' by ', toString(round(100 * growth)),"
        " ' % against the quarter before') FROM analytics.region_performance"
        " WHERE growth IS NOT NULL AND revenue_share > 0.05 ORDER BY growth_beside_channel DESC LIMIT 1",
    ),
    (
        "What is left of sales",
        "profitability",
        "SELECT concat(toString(round(100 * sum(contribution) / sum(net_sales))), ' % after refunds, fees and cost of"
        " goods where the cost is known (', any(currency), ')') FROM analytics.profitability"
        " WHERE contribution IS NOT NULL AND net_sales > 0 GROUP BY currency ORDER BY sum(net_sales) DESC LIMIT 1",
    ),
    (
        "What buyers complain of",
        "improvement_suggestions",
        "SELECT concat(topic, ': ', advice, ' (', toString(complaints), ' complaints)')"
        " FROM analytics.improvement_suggestions ORDER BY complaints DESC, topic LIMIT 1",
    ),
)  # fmt: skip


def run(step: Callable[..., Any], day: date) -> None:
    """The flows, each a step of the demo."""
    step("Planning what to order, classing SKUs, risk of running out", inventory_planning, day)
    step("Judging customers, baskets and carts", customer_insight, day)
    step("Comparing regions, adding up what products earn", performance, day)
    step("Reading what buyers say", feedback, day)


def show(console: Console) -> None:
    """One line for each question that has an answer."""
    table = Table(
        title="Beyond sales", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in ("question", "answer", "table in ClickHouse"):
        table.add_column(column)
    with closing(connections.clickhouse()) as client:
        for question, name, query in LINES:
            rows = client.query(query).result_rows
            if rows:
                table.add_row(question, str(rows[0][0]), name)
    console.print(table)


def pictures(output: Path) -> list[Path]:
    """The pictures of the flows' artifacts, as files."""
    made = []
    for key in PICTURES:
        found = getattr(Artifact.get(key), "data", None)
        text = found if isinstance(found, str) else ""
        for number, encoded in enumerate(re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", text), 1):
            made.append(output / f"{key}-{number}.png")
            made[-1].write_bytes(base64.b64decode(encoded))
    return made
