"""The sandbox's Selling Partner API below `/amazon`, with its token endpoint. Rates are the published ones."""

from starlette.routing import BaseRoute

from connectors.sandbox.amazon_catalog import FbaInventory, catalog, listings
from connectors.sandbox.amazon_finances import Finances, order_metrics, participations
from connectors.sandbox.amazon_gate import routes_of, token_route
from connectors.sandbox.amazon_orders import one, search
from connectors.sandbox.amazon_refunds import MoneyIndex
from connectors.sandbox.amazon_reports import Reports
from connectors.sandbox.state import SandboxState

_REPORTS = "/reports/2021-06-30"


def routes(state: SandboxState) -> list[BaseRoute]:
    """Every route of the platform, over `state`."""
    index = MoneyIndex(state.world)
    reports, finances, stock = Reports(state, index), Finances(index), FbaInventory(state)
    table = [
        ("GET", "/orders/2026-01-01/orders", "searchOrders", 0.0056, 20, search),
        ("GET", "/orders/2026-01-01/orders/{order_id}", "getOrder", 0.5, 30, one),
        ("GET", f"{_REPORTS}/reports", "getReports", 0.0222, 10, reports.listing),
        ("GET", f"{_REPORTS}/reports/{{report_id}}", "getReport", 2.0, 15, reports.one),
        ("GET", f"{_REPORTS}/documents/{{document_id}}", "getReportDocument", 0.0167, 15, reports.document),
        ("GET", "/fba/inventory/v1/summaries", "getInventorySummaries", 2.0, 2, stock.summaries),
        ("GET", "/listings/2021-08-01/items/{seller_id}", "searchListingsItems", 5.0, 5, listings),
        ("GET", "/catalog/2022-04-01/items", "searchCatalogItems", 2.0, 2, catalog),
        ("GET", "/finances/2024-06-19/transactions", "listTransactions", 0.5, 10, finances.transactions),
        ("GET", "/sales/v1/orderMetrics", "getOrderMetrics", 0.5, 15, order_metrics),
        (
            "GET",
            "/sellers/v1/marketplaceParticipations",
            "getMarketplaceParticipations",
            0.016,
            15,
            participations,
        ),
    ]
    create = [("POST", f"{_REPORTS}/reports", "createReport", 0.0167, 15, reports.create)]
    return [
        token_route(state),
        *routes_of(state, create, status=202),
        *routes_of(state, table),
        reports.download_route(),
    ]
