"""The sandbox's Walmart Marketplace API, mounted below `/walmart`: as strict as the real one, over the same world."""

from starlette.routing import BaseRoute

from connectors.sandbox.state import SandboxState
from connectors.sandbox.walmart_gate import routes_of, token_route
from connectors.sandbox.walmart_orders import Orders
from connectors.sandbox.walmart_settlements import Settlements
from connectors.sandbox.walmart_stock import Shelves


def routes(state: SandboxState) -> list[BaseRoute]:
    """Routes of the API over `state`; limits are the published ones, per minute."""
    orders, shelves, settlements = Orders(state), Shelves(state), Settlements(state)
    gated = routes_of(
        state,
        [
            ("/v3/orders", "walmart.orders", 5000, orders.listing),
            ("/v3/orders/{purchase_order_id}", "walmart.order", 5000, orders.one),
            ("/v3/returns", "walmart.returns", 50, orders.returns),
            ("/v3/items", "walmart.items", 60, shelves.items),
            ("/v3/inventories", "walmart.inventories", 200, shelves.inventories),
            ("/v3/inventory", "walmart.inventory", 200, shelves.inventory),
            ("/v3/wfs/inventory", "walmart.wfs_inventory", 100, shelves.fulfilled),
            ("/v3/fulfillment/inventory", "walmart.wfs_inventory_legacy", 100, shelves.legacy),
            ("/v3/report/reconreport/availableReconFiles", "walmart.recon_dates", 100, settlements.dates),
            ("/v3/report/reconreport/reconFile", "walmart.recon", 100, settlements.file),
        ],
    )
    return [token_route(state), *gated]
