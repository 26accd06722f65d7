"""One shop: what each field of the query root answers, over the world as it is now."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.sandbox import shopify_data as data
from connectors.sandbox.shopify_customers import Customers
from connectors.sandbox.shopify_data import Node
from connectors.sandbox.shopify_orders import order_node
from connectors.sandbox.shopify_plan import DocumentError, Step, connection_cost, requested
from connectors.sandbox.shopify_project import Slice, connection, decode_cursor, encode_cursor, project
from connectors.sandbox.shopify_report import report
from connectors.sandbox.shopify_search import Search, parse_search
from connectors.sandbox.state import SandboxState
from connectors.sandbox.world import Market, Stock

SCOPES = (
    "read_all_orders",
    "read_customers",
    "read_inventory",
    "read_locations",
    "read_orders",
    "read_products",
    "read_reports",
    "read_returns",
)
VERSIONS = ("2025-10", "2026-01", "2026-04", "2026-07", "2026-10")
RELEASE_CANDIDATES = ("2027-01",)
_WALL = timedelta(days=60)  # how far back orders are visible without read_all_orders
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

# Which scope a root field needs; fields not named need none.
_NEEDS = {
    "orders": "read_orders",
    "order": "read_orders",
    "ordersCount": "read_orders",
    "refund": "read_orders",
    "returns": "read_returns",
    "abandonedCheckouts": "read_orders",
    "customers": "read_customers",
    "customer": "read_customers",
    "products": "read_products",
    "product": "read_products",
    "productVariants": "read_products",
    "productVariant": "read_products",
    "inventoryItems": "read_inventory",
    "inventoryItem": "read_inventory",
    "locations": "read_locations",
    "location": "read_locations",
    "shopifyqlQuery": "read_reports",
}


class AccessDeniedError(Exception):
    """The app lacks a scope: a field-level error beside partial data."""

    def __init__(self, field: str, scope: str) -> None:
        super().__init__(scope)
        self.error = {
            "message": f"Access denied for {field} field. Required access: `{scope}` access scope.",
            "locations": [{"line": 1, "column": 1}],
            "extensions": {
                "code": "ACCESS_DENIED",
                "documentation": "https://shopify.dev/api/usage/access-scopes",
                "requiredAccess": f"`{scope}` access scope.",
            },
            "path": [field],
        }


class Shop:
    """The merchant's one shop. `now` is fixed for the time of a request or a bulk operation."""

    def __init__(
        self,
        state: SandboxState,
        market: Market,
        scopes: Iterable[str],
        now: datetime | None = None,
        customers: Customers | None = None,
    ) -> None:
        self.state, self.market, self.scopes = state, market, frozenset(scopes)
        self.now = now or state.now()
        self.deleted: frozenset[int] = frozenset()  # orders the merchant deleted: nothing tells of it
        self._world = state.world
        self._customers = customers or Customers(state.world, market)
        self._stock: dict[int, list[Stock]] | None = None
        self._visible_until: datetime | None = None

    def answer(self, step: Step) -> tuple[Any, int]:
        """A root field's answer and what it cost. Raises AccessDeniedError or DocumentError."""
        self.check_scope(step)
        if step.is_connection:
            part = self.page(step)
            return connection(part, step), connection_cost(step, len(part.nodes))
        value = self._single(step)
        if value is None:
            return None, 1
        if isinstance(value, list):
            return [None if node is None else project(node, step.steps) for node in value], requested(step)
        return project(value, step.steps), requested(step)

    def check_scope(self, step: Step) -> None:
        """Raises AccessDeniedError when the app may not read the field, or one below it."""
        scope = _NEEDS.get(step.name)
        if scope is not None and scope not in self.scopes:
            raise AccessDeniedError(step.key, scope)
        for inner in step.steps:
            if inner.name in {"nodes", "edges", "node", "customer", "returns"}:
                self.check_scope(inner)

    def hide_newer(self, seconds: float) -> None:
        """Changes of the last `seconds` are not visible yet."""
        self._visible_until = self.now - timedelta(seconds=seconds)

    # -- connections -----------------------------------------------------------------------------------

    def page(self, step: Step) -> Slice:
        """A page of a root connection."""
        if step.args.get("first") is None or step.args.get("last") or step.args.get("before"):
            raise DocumentError([{"message": "you must provide one of first or last", "path": [step.key]}])
        if step.name == "orders":
            return self._orders(step)
        nodes, value = self.all_nodes(step)
        return _page_of(nodes, value, step)

    def all_nodes(self, step: Step) -> tuple[list[Node], Callable[[Node], Any]]:
        """Every node of a connection that fits its search, in its order, and its sort value."""
        search = parse_search(step.args.get("query"))
        match step.name:
            case "products" | "productVariants" | "inventoryItems":
                return self._catalog(step.name, search), lambda node: node["updatedAt"]
            case "abandonedCheckouts":
                return self._carts(search), lambda node: node["createdAt"]
            case "customers":
                return self._registered(search), lambda node: node["updatedAt"]
            case "locations":
                return self._places(), lambda node: node["name"]
        raise DocumentError([{"message": f"the sandbox does not play {step.name}", "path": [step.key]}])

    def order_numbers(self, search: Search) -> list[int]:
        """Orders that fit, by (updated_at, number); beyond the wall there are none, and no error says so."""
        if search.equal and "id" in search.equal:
            wanted = search.equal["id"].rpartition("/")[2]
            return [data.order_number(int(wanted))] if wanted.isdigit() else []
        if self._visible_until is not None:
            search.updated_until = min(search.updated_until or self._visible_until, self._visible_until)
        created_since = search.created_since
        if "read_all_orders" not in self.scopes:
            created_since = max(created_since or self.now - _WALL, self.now - _WALL)
        return list(
            self._world.orders_between(
                self.market.channel,
                self.now,
                updated_since=search.updated_since,
                updated_until=search.updated_until,
                created_since=created_since,
                created_until=search.created_until,
            )
        )

    def order_nodes(self, numbers: list[int], search: Search | None = None) -> list[Node]:
        """Those orders as Shopify's objects."""
        unequal = (search.unequal or {}) if search else {}
        return [
            order_node(order, self.market)
            for order in self._world.orders(numbers, self.now)
            if order.channel == self.market.channel
            and order.number not in self.deleted
            and not (
                unequal.get("return_status") == "no_return" and not any(r.is_return for r in order.refunds)
            )
        ]

    def _orders(self, step: Step) -> Slice:
        search = parse_search(step.args.get("query"))
        held = decode_cursor(step.args.get("after"))
        by_update = step.args.get("sortKey") == "UPDATED_AT" and not step.args.get("reverse")
        after = None if held is None else (str(held["last_value"]), int(held["last_id"]))
        if by_update and after is not None:
            since = datetime.fromisoformat(after[0])
            search.updated_since = max(since, search.updated_since or since)
        numbers = self.order_numbers(search)
        if not by_update:
            numbers.sort(reverse=bool(step.args.get("reverse")))
            if after is not None:
                numbers = numbers[numbers.index(data.order_number(after[1])) + 1 :]
            after = None
        found: list[tuple[Node, str]] = []
        start, size = 0, step.first + 1
        while len(found) <= step.first and start < len(numbers):
            orders = self._world.orders(numbers[start : start + size], self.now)
            start += size
            for order in orders:
                value = order.updated_at.isoformat()
                if after is not None and (value, data.order_id(order.number)) <= after:
                    continue
                if (search.unequal or {}).get("return_status") == "no_return" and not any(
                    refund.is_return for refund in order.refunds
                ):
                    continue
                found.append((order_node(order, self.market), value))
        values = {id(node): value for node, value in found}
        return Slice(
            [node for node, _ in found[: step.first]],
            len(found) > step.first,
            lambda node: encode_cursor(int(node["legacyResourceId"]), values[id(node)]),
            held is not None,
        )

    def _catalog(self, name: str, search: Search) -> list[Node]:
        equal = search.equal or {}
        nodes: list[tuple[datetime, int, Node]] = []
        for product in self._world.products(self.market.channel, self.now):
            if not search.holds(product.updated_at):
                continue
            if "sku" in equal and product.sku != equal["sku"]:
                continue
            node = data.product_node(product, self.market, self._levels(product.number))
            if name != "products":
                node = node["variants"][0]
            if name == "inventoryItems":
                node = node["inventoryItem"]
            nodes.append((product.updated_at, product.number, node))
        nodes.sort(key=lambda entry: entry[:2])
        return [node for _, _, node in nodes]

    def _levels(self, product_number: int) -> list[Stock]:
        if self._stock is None:
            self._stock = {}
            for level in self._world.stock(self.market.channel, self.now):
                self._stock.setdefault(level.product_number, []).append(level)
        return self._stock.get(product_number, [])

    def _carts(self, search: Search) -> list[Node]:
        since, until = search.updated_since or _LONG_AGO, search.updated_until or self.now
        carts = self._world.carts_between(self.market.channel, self.now, since, until)
        return [
            data.cart_node(cart, self.market)
            for cart in carts
            if search.holds(cart.updated_at, cart.created_at)
        ]

    def _registered(self, search: Search) -> list[Node]:
        return [node for at, node in self._customers.nodes(self.now) if search.holds(at)]

    def _places(self) -> list[Node]:
        self._levels(0)
        assert self._stock is not None
        found = {level.location: level for levels in self._stock.values() for level in levels}
        return [data.place_node(name, level.updated_at) for name, level in sorted(found.items())]

    # -- single objects --------------------------------------------------------------------------------

    def _single(self, step: Step) -> Any:
        match step.name:
            case "shop":
                return self._shop()
            case "currentAppInstallation":
                scopes = [{"handle": scope, "description": scope} for scope in sorted(self.scopes)]
                return {"id": data.gid("AppInstallation", 1), "accessScopes": scopes}
            case "publicApiVersions":
                told = [{"handle": v, "displayName": v, "supported": True} for v in VERSIONS]
                told += [
                    {"handle": v, "displayName": f"{v} (Release candidate)", "supported": False}
                    for v in RELEASE_CANDIDATES
                ]
                return [*told, {"handle": "unstable", "displayName": "unstable", "supported": False}]
            case "ordersCount":
                found = len(self.order_numbers(parse_search(step.args.get("query"))))
                limit = step.args.get("limit", 10_000)
                more = limit is not None and found > limit
                return {"count": limit if more else found, "precision": "AT_LEAST" if more else "EXACT"}
            case "shopifyqlQuery":
                return report(step.args["query"], self._world, self.market, self.now)
            case "nodes":
                if len(step.args["ids"]) > 250:
                    raise DocumentError(
                        [{"message": "The input array size is greater than the maximum allowed of 250."}]
                    )
                return [self.by_gid(each) for each in step.args["ids"]]
            case (
                "customer"
                | "order"
                | "refund"
                | "product"
                | "productVariant"
                | "inventoryItem"
                | "node"
                | "location"
            ):
                return self.by_gid(step.args.get("id") or "")
        raise DocumentError([{"message": f"the sandbox does not play {step.name}", "path": [step.key]}])

    def by_gid(self, gid: str) -> Node | None:
        """The object with that global id; None when there is none."""
        kind, _, number = gid.removeprefix("gid://shopify/").partition("/")
        number = number.partition("?")[0]
        if not number.isdigit():
            return None
        match kind:
            case "Order":
                return next(iter(self._known_orders([data.order_number(int(number))])), None)
            case "Refund":
                order, _ = data.refund_number(int(number))
                nodes = self._known_orders([order])
                return next((r for node in nodes for r in node["refunds"]({}) if r["id"] == gid), None)
            case "Product" | "ProductVariant" | "InventoryItem":
                return self._catalog_node(kind, data.product_number(kind, int(number)))
            case "Customer":
                return next((node for _, node in self._customers.nodes(self.now) if node["id"] == gid), None)
            case "Location":
                return next((place for place in self._places() if place["id"] == gid), None)
        return None

    def _known_orders(self, numbers: list[int]) -> list[Node]:
        try:
            return self.order_nodes(numbers)
        except (KeyError, IndexError, ValueError):
            return []

    def _catalog_node(self, kind: str, number: int) -> Node | None:
        for product in self._world.products(self.market.channel, self.now):
            if product.number == number:
                node = data.product_node(product, self.market, self._levels(number))
                if kind == "Product":
                    return node
                variant: Node = node["variants"][0]
                item: Node = variant["inventoryItem"]
                return variant if kind == "ProductVariant" else item
        return None

    def _shop(self) -> Node:
        name = self.market.external_id
        return {
            "id": data.gid("Shop", 1),
            "name": name,
            "email": f"owner@{name}.example",
            "currencyCode": self.market.currency,
            "ianaTimezone": self.market.timezone,
            "taxesIncluded": self.market.tax_included,
            "myshopifyDomain": f"{name}.myshopify.com",
            "createdAt": data.instant(_LONG_AGO),
            "updatedAt": data.instant(self.now),
        }


def _page_of(nodes: list[Node], value: Callable[[Node], Any], step: Step) -> Slice:
    held = decode_cursor(step.args.get("after"))
    start = 0
    if held is not None:
        start = next((n + 1 for n, node in enumerate(nodes) if node["id"] == held["last_id"]), len(nodes))
    stop = start + step.first
    return Slice(
        nodes[start:stop],
        stop < len(nodes),
        lambda node: encode_cursor(node["id"], value(node)),
        start > 0,
    )
