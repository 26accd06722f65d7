"""The GraphQL documents we send. A test validates each against the API's schema.

Only the shop's currency is asked for: the buyer's would double what a query costs. `refunds` takes no
`first`, which would cut the list silently.
"""

from datetime import UTC, date, datetime

from connectors.base import Window

_MONEY = "fragment m on MoneyBag { shopMoney { amount currencyCode } }"

_LINE = """id sku title name quantity currentQuantity isGiftCard variant { id } product { id }
  originalUnitPriceSet { ...m } originalTotalSet { ...m }
  discountAllocations { allocatedAmountSet { ...m } } taxLines { priceSet { ...m } }"""

_REFUND_LINE = "quantity subtotalSet { ...m } totalTaxSet { ...m } lineItem { id }"

_ORDER = """id legacyResourceId name createdAt processedAt updatedAt cancelledAt closedAt test currencyCode
  taxesIncluded displayFinancialStatus displayFulfillmentStatus customer { id }
  shippingAddress { countryCodeV2 provinceCode } billingAddress { countryCodeV2 provinceCode }
  totalShippingPriceSet { ...m } totalTaxSet { ...m } totalDiscountsSet { ...m } totalPriceSet { ...m }
  totalRefundedSet { ...m } fulfillments { status createdAt deliveredAt }"""

_REFUND = f"""id createdAt processedAt updatedAt totalRefundedSet {{ ...m }}
  refundLineItems(first: 20) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {_REFUND_LINE} }} }}"""

_VARIANT = "id sku title barcode price updatedAt inventoryItem { id unitCost { amount currencyCode } }"
_PRODUCT = "id title vendor productType category { fullName } status updatedAt"
_LEVEL = """id updatedAt location { id name }
  quantities(names: ["available", "committed", "incoming", "on_hand", "reserved", "damaged", "quality_control",
    "safety_stock"]) { name quantity updatedAt }"""
_ITEM = "id sku tracked updatedAt variant { id }"
_PAGE = "pageInfo { hasNextPage endCursor }"

ORDERS = f"""query Orders($q: String, $first: Int!, $after: String) {{
  orders(first: $first, after: $after, sortKey: UPDATED_AT, query: $q) {{ {_PAGE} nodes {{ {_ORDER}
    lineItems(first: 20) {{ {_PAGE} nodes {{ {_LINE} }} }}
    refunds {{ {_REFUND} }} }} }} }}
{_MONEY}"""

ORDER_LINES = f"""query OrderLines($id: ID!, $after: String) {{
  order(id: $id) {{ lineItems(first: 100, after: $after) {{ {_PAGE} nodes {{ {_LINE} }} }} }} }}
{_MONEY}"""

REFUNDS = f"""query Refunds($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Refund {{ {_REFUND} }} }} }}
{_MONEY}"""

REFUND_LINES = f"""query RefundLines($id: ID!, $after: String) {{
  refund(id: $id) {{ refundLineItems(first: 100, after: $after) {{ {_PAGE} nodes {{ {_REFUND_LINE} }} }} }} }}
{_MONEY}"""

PRODUCTS = f"""query Products($q: String, $first: Int!, $after: String) {{
  products(first: $first, after: $after, sortKey: UPDATED_AT, query: $q) {{ {_PAGE} nodes {{ {_PRODUCT}
    variants(first: 50) {{ {_PAGE} nodes {{ {_VARIANT} }} }} }} }} }}"""

PRODUCT_VARIANTS = f"""query ProductVariants($id: ID!, $after: String) {{
  product(id: $id) {{ variants(first: 100, after: $after) {{ {_PAGE} nodes {{ {_VARIANT} }} }} }} }}"""

INVENTORY = f"""query Inventory($q: String, $first: Int!, $after: String) {{
  inventoryItems(first: $first, after: $after, query: $q) {{ {_PAGE} nodes {{ {_ITEM}
    inventoryLevels(first: 10) {{ {_PAGE} nodes {{ {_LEVEL} }} }} }} }} }}"""

ITEM_LEVELS = f"""query ItemLevels($id: ID!, $after: String) {{
  inventoryItem(id: $id) {{ inventoryLevels(first: 50, after: $after) {{ {_PAGE} nodes {{ {_LEVEL} }} }} }} }}"""

CARTS = f"""query Carts($q: String, $first: Int!, $after: String) {{
  abandonedCheckouts(first: $first, after: $after, sortKey: CREATED_AT, query: $q) {{ {_PAGE} nodes {{
    id createdAt updatedAt completedAt customer {{ id }} totalPriceSet {{ ...m }}
    lineItems(first: 20) {{ {_PAGE} nodes {{
      id sku title quantity variant {{ id }} discountedTotalPriceSet {{ ...m }} }} }} }} }} }}
{_MONEY}"""

_CUSTOMER = """id createdAt updatedAt numberOfOrders amountSpent { amount currencyCode }
  defaultAddress { countryCodeV2 }"""

CUSTOMERS = f"""query Customers($q: String, $first: Int!, $after: String) {{
  customers(first: $first, after: $after, sortKey: UPDATED_AT, query: $q) {{ {_PAGE} nodes {{ {_CUSTOMER} }} }} }}"""

RETURNS = f"""query Returns($q: String, $first: Int!, $after: String) {{
  orders(first: $first, after: $after, sortKey: UPDATED_AT, query: $q) {{ {_PAGE} nodes {{
    id updatedAt currencyCode returns(first: 5) {{ {_PAGE} nodes {{
      id name status totalQuantity createdAt closedAt
      refunds(first: 2) {{ nodes {{ id totalRefundedSet {{ ...m }}
        refundLineItems(first: 10) {{ nodes {{ quantity lineItem {{ id }} }} }} }} }} }} }} }} }} }}
{_MONEY}"""

BULK_RUN = """mutation BulkRun($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: false) {
    bulkOperation { id status } userErrors { field message code } } }"""

BULK_STATUS = """query BulkStatus($id: ID!) { bulkOperation(id: $id) {
  id status errorCode objectCount rootObjectCount url partialDataUrl } }"""

BULK_CANCEL = """mutation BulkCancel($id: ID!) { bulkOperationCancel(id: $id) {
  bulkOperation { id status } userErrors { field message } } }"""

PROBE = """query Probe { shop { name currencyCode ianaTimezone taxesIncluded myshopifyDomain }
  currentAppInstallation { accessScopes { handle } } publicApiVersions { handle supported } }"""


SALES_REPORT = """query SalesReport($query: String!) { shopifyqlQuery(query: $query) {
  tableData { columns { name displayName } rows } parseErrors } }"""

EXISTING = "query Existing($ids: [ID!]!) { nodes(ids: $ids) { id } }"

SCOPES = "query Scopes { currentAppInstallation { accessScopes { handle } } }"


def sales_report(first: date, last: date) -> str:
    """ShopifyQL for units and goods of each of the shop's days, both ends included."""
    return (
        "FROM sales SHOW quantity_ordered, gross_sales TIMESERIES day"
        f" SINCE {first} UNTIL {last} ORDER BY day ASC"
    )


def order_counts(days: int) -> str:
    """How many orders fit each of `$d0`, `$d1`, … , without the limit of 10,000 that a count has otherwise."""
    names = [f"d{number}" for number in range(days)]
    fields = " ".join(f"{n}: ordersCount(limit: null, query: ${n}) {{ count precision }}" for n in names)
    return f"query OrderCounts({', '.join(f'${n}: String' for n in names)}) {{ {fields} }}"


def placed_within(start: datetime, end: datetime) -> str:
    """The search filter for real orders placed in a half-open span; an import is placed when it says so."""
    return f"processed_at:>='{_stamp(start)}' AND processed_at:<'{_stamp(end)}' AND test:false"


def updated_within(window: Window) -> str:
    """The search filter for a window of the update clock; timestamps quoted, always UTC."""
    until = f"updated_at:<'{_stamp(window.until)}'"
    return until if window.since is None else f"updated_at:>='{_stamp(window.since)}' AND {until}"


def bulk_orders(window: Window) -> str:
    """Orders with their lines; refunds by id only, because no connection may stand below a list."""
    return f"""{{ orders(query: "{updated_within(window)}") {{ edges {{ node {{ {_inline(_ORDER)}
      refunds {{ id }} lineItems {{ edges {{ node {{ {_inline(_LINE)} }} }} }} }} }} }} }}"""


def unnamed(query: str) -> str:
    """A query without who bought."""
    return query.replace("customer { id }", "")


def updated_since_day(window: Window) -> str:
    """The filter for clocks that are said to match whole days: from the day before, and without an end."""
    return "" if window.since is None else f"updated_at:>='{window.since.astimezone(UTC):%Y-%m-%d}T00:00:00Z'"


def bulk_customers(window: Window) -> str:
    """Customers, nothing that says who they are."""
    return (
        f"""{{ customers(query: "{updated_since_day(window)}") {{ edges {{ node {{ {_CUSTOMER} }} }} }} }}"""
    )


def bulk_products(window: Window) -> str:
    """Products with their variants."""
    return f"""{{ products(query: "{updated_within(window)}") {{ edges {{ node {{ {_PRODUCT}
      variants {{ edges {{ node {{ {_VARIANT} }} }} }} }} }} }} }}"""


def bulk_inventory() -> str:
    """All items with their stock at every place."""
    return f"""{{ inventoryItems {{ edges {{ node {{ {_ITEM}
      inventoryLevels {{ edges {{ node {{ {_LEVEL} }} }} }} }} }} }} }}"""


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _inline(selection: str) -> str:
    """Without fragments, which a bulk query would have to carry along."""
    return selection.replace("...m", "shopMoney { amount currencyCode }")
