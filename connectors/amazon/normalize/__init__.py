"""What Amazon sends, as canonical frames. Pure: no clock, no settings, no network.

One function per resource of the connector; each takes a page as it came over the wire.
"""

from connectors.amazon.normalize.all_orders import all_orders_report
from connectors.amazon.normalize.feedback import feedback_report
from connectors.amazon.normalize.finances import transactions
from connectors.amazon.normalize.listings import composed_page, listings_report
from connectors.amazon.normalize.orders_2026 import searched_orders
from connectors.amazon.normalize.returned import returns_report
from connectors.amazon.normalize.stock import fba_summaries, merchant_stock, stock_report
from connectors.base import Context, Page
from connectors.canonical import Normalized


def orders(page: Page, context: Context) -> Normalized:
    """`orders` and `order_items`, from the API (JSON) or from the report (tab separated)."""
    if page.kind == "json":
        return searched_orders(page.body, context)
    return all_orders_report(page.body, page.charset, context)


def inventory(page: Page, context: Context) -> Normalized:
    """`inventory`: Amazon's own stock and the merchant's."""
    if page.kind != "json":
        return stock_report(page.body, page.charset, context)
    # The two answers tell themselves apart by the one list each must have.
    if b'"inventorySummaries"' in page.body:
        return fba_summaries(page.body, context)
    return merchant_stock(page.body, context)


def products(page: Page, context: Context) -> Normalized:
    """`products`, from listings with what the catalog says of them, or from the listings report."""
    if page.kind != "json":
        return listings_report(page.body, page.charset, context)
    return composed_page(page.body, context)


def refunds(page: Page, context: Context) -> Normalized:
    """`refunds` and `fees`, from finances."""
    return transactions(page.body, context)


def returns(page: Page, context: Context) -> Normalized:
    """`returns`, from either returns report."""
    return returns_report(page.body, page.charset, context)


def feedback(page: Page, context: Context) -> Normalized:
    """`feedback`, from the seller feedback report."""
    return feedback_report(page.body, page.charset, context)
