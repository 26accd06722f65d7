"""The steps of a merge, one method a frame. Each runs inside the one transaction of `merge.commit`."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, CursorResult, Row, text

from warehouse import sql
from warehouse.errors import WarehouseError
from warehouse.load import Staging
from warehouse.tables import staging as tables

# Where staged frames refer to products: which columns they have for it.
_REFERENCES: Mapping[str, str] = {
    "products": "channel, sku, external_id, title",
    "order_items": "channel, sku, external_id, title",
    "inventory": "channel, sku, external_id, NULL::text AS title",
    "returns": "channel, sku, NULL::text AS external_id, NULL::text AS title",
    "cart_items": "channel, sku, external_id, title",
    "fees": "channel, sku, NULL::text AS external_id, NULL::text AS title",
    "feedback": "channel, sku, NULL::text AS external_id, NULL::text AS title",
}
# Temporary tables of a merge that say which days no longer are as published, and how.
_MOVED_DAYS: Mapping[str, tuple[str, ...]] = {
    "t_moved": (
        "SELECT channel_id, order_date AS day FROM t_moved",
        "SELECT channel_id, happened_date FROM t_moved",
    ),
    "t_orders": (
        "SELECT channel_id, order_date AS day FROM t_orders WHERE moves_day AND action IN ('new', 'changed')",
        "SELECT channel_id, known_date FROM t_orders WHERE moves_day AND action = 'changed'",
    ),
    "t_carts": (
        "SELECT k.channel_id, (k.created_at AT TIME ZONE c.timezone)::date AS day FROM t_carts k"
        " JOIN core.channels c ON c.id = k.channel_id WHERE k.action IN ('new', 'changed')",
    ),
    "t_fees": (
        "SELECT channel_id, posted_date AS day FROM t_fees",
        "SELECT channel_id, known_date FROM t_fees",
    ),
}


_KNOWN_LINES = {
    "orders": "core.orders",
    "items": "core.order_items",
    "which": "WHERE o.id IN (SELECT order_id FROM t_touched)",
}
_NEW_LINES = {
    "orders": "(SELECT t.*, t.order_id AS id FROM t_orders t WHERE t.action = 'new')",
    "items": "t_items",
    "which": "",
}
# Of new orders, the lines of which there is more to say than that they were sold.
_NOT_ONLY_SOLD = {
    **_NEW_LINES,
    "which": """WHERE o.is_replacement OR o.status = 'cancelled' OR i.cancelled_quantity > 0 OR i.has_refunds
           OR i.refunded_quantity <> 0 OR i.refunded_amount <> 0 OR i.refunded_net_amount <> 0""",
}
_ONLY = {"distinct": "", "order": ""}
_NEWEST = {
    "distinct": "DISTINCT ON (s.channel, s.external_id)",
    "order": "ORDER BY s.channel, s.external_id, s.source_updated_at DESC, s.seq DESC",
}


class ConcurrentWriteError(WarehouseError):
    """Somebody wrote past the channel's lock: nothing was written; stage and merge again."""


def staged_channels(connection: Connection, staging: Staging) -> list[Row[Any]]:
    """Channels named by any staged row."""
    if not staging.rows:
        return []
    names = " UNION ".join(
        f"SELECT channel FROM {tables.table(staging.load_id, frame)}" for frame in staging.rows
    )
    return list(connection.execute(text(f"SELECT id FROM core.channels WHERE name IN ({names})")))


def close_ledger(connection: Connection, run_id: int) -> tuple[int, int]:
    """Journal and days to republish of what this merge changed; returns (dirty days, restatement rows)."""
    made = [
        name
        for name in _MOVED_DAYS
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"pg_temp.{name}"}) is not None
    ]
    restated = 0
    if "t_moved" in made:
        restated = connection.execute(text(sql.read("restatements")), {"run_id": run_id}).rowcount
    dirty = mark_days(connection, " UNION ".join(query for name in made for query in _MOVED_DAYS[name]))
    return dirty, restated


def mark_days(connection: Connection, days: str, **values: Any) -> int:
    """Have the days that query `days` gives (channel_id, day) published again; returns how many."""
    if not days:
        return 0
    return connection.execute(text(sql.read("dirty_days").replace("{days}", days)), values).rowcount


class Steps:
    """One merge. `count(frame, outcome, rows)` receives what happened."""

    def __init__(
        self,
        connection: Connection,
        staging: Staging,
        run_id: int,
        until: datetime,
        count: Callable[[str, str, int], None],
    ) -> None:
        self._connection = connection
        self._staging = staging
        self._values = {"run_id": run_id, "until": until}
        self._count = count

    def resolve_products(self) -> None:
        """Give every staged reference a product, making stubs for those unknown."""
        frames = [frame for frame in _REFERENCES if self._staging.has(frame)]
        if not frames:
            return
        references = " UNION ALL ".join(
            f"SELECT {_REFERENCES[frame]} FROM {tables.table(self._staging.load_id, frame)}"
            for frame in frames
        )
        self._run("listings", references=references)
        made = self._run("stub_products").rowcount
        self._count("products", "inserted", made)
        self._run("product_of")
        self._analyze("t_product_of", "channel_id, sku, external_id")
        stubs = self._run("stub_listings").scalars().all()
        self._count("channel_products", "inserted", len(stubs))
        self.describe(stubs)

    def products(self) -> None:
        rows = self._run("listings_upsert").all()
        self._written("channel_products", "products", (bool(row.inserted) for row in rows))
        self.describe([row.product_id for row in rows])

    def retire_listings(self, channel_ids: list[int]) -> None:
        """Listings a complete catalogue no longer names are offered no more, unless it names suspiciously few."""
        rows = self._run("listings_absent", channels=channel_ids).rowcount
        self._count("channel_products", "updated", rows)

    def orders(self) -> None:
        """Orders, their lines and refunds, and the ledger events these changes make."""
        touched: list[str] = []
        refunded = self._refunds()
        has_orders, has_new_lines = self._staging.has("orders"), False
        if has_orders:
            tangled = self._is_tangled()
            self._run("orders_collect", **(_NEWEST if tangled else _ONLY))
            self._analyze("t_orders", "order_id, channel_id, external_id, action")
            actions = self._orders()
            has_new_lines = "new" in actions and self._staging.has("order_items")
            has_known = not actions.keys().isdisjoint(("changed", "same"))
            if has_known:
                touched.append("SELECT order_id FROM t_orders WHERE action = 'changed'")
            if self._staging.has("order_items"):
                touched += self._items(tangled, has_known)
        if refunded:
            touched.append(self._refunded_orders(refunded, has_orders))
        if touched or has_new_lines:
            self._ledger(touched, has_new_lines)

    def _refunded_orders(self, refunded: set[tuple[int, str]], has_orders: bool) -> str:
        """Refunds onto the lines of known orders; returns the query for those orders."""
        orders = self._ids(
            "SELECT o.id FROM core.orders o JOIN (SELECT unnest(CAST(:ids AS bigint[])) AS channel_id,"
            " unnest(CAST(:names AS text[])) AS external_id) r USING (channel_id, external_id)",
            ids=[channel for channel, _ in refunded],
            names=[order for _, order in refunded],
        )
        if has_orders:  # new ones were inserted with their refunds
            orders -= self._ids("SELECT order_id FROM t_orders WHERE action = 'new'")
        self._resolve_refunds("o.id = ANY (:orders)", orders=sorted(orders))
        rows = self._run("items_refunded", orders=sorted(orders)).rowcount
        self._count("order_items", "updated", rows)
        self._execute("CREATE TEMP TABLE t_refunded (order_id bigint) ON COMMIT DROP")
        self._execute("INSERT INTO t_refunded SELECT unnest(CAST(:ids AS bigint[]))", ids=sorted(orders))
        return "SELECT order_id FROM t_refunded"

    def _orders(self) -> dict[str, int]:
        """Orders into core; how many of them are new, changed, the same or older."""
        actions = self._actions("t_orders")
        wanted = actions.get("new", 0) + actions.get("changed", 0)
        if wanted and self._run("orders_upsert").rowcount != wanted:
            raise ConcurrentWriteError("orders changed while they were merged; stage the window again")
        self._count("orders", "inserted", actions.get("new", 0))
        self._count("orders", "updated", actions.get("changed", 0))
        self._count("orders", "written", wanted)
        return actions

    def _refunds(self) -> set[tuple[int, str]]:
        if not self._staging.has("refunds"):
            return set()
        rows = self._run("refunds_upsert").all()
        self._written("refunds", "refunds", (bool(row.inserted) for row in rows))
        return {(int(row.channel_id), str(row.order_external_id)) for row in rows}

    def _resolve_refunds(self, which: str, **values: Any) -> None:
        self._run("refunds_resolve", which=which, refund_lines=sql.read("refund_lines"), **values)

    def fees(self) -> None:
        """What the channels charge; days on which something is new or other are published again."""
        self._run("fees_collect")
        rows = self._run("fees_upsert").all()
        self._written("fees", "fees", (bool(row.inserted) for row in rows))

    def feedback(self) -> None:
        """What buyers say; a statement that was changed is kept as it is now."""
        self._run("feedback_collect")
        rows = self._run("feedback_upsert").all()
        self._written("feedback", "feedback", (bool(row.inserted) for row in rows))

    def _is_tangled(self) -> bool:
        """Whether any order was staged more than once, or any line apart from its order."""
        table = tables.table(self._staging.load_id, "orders")
        twice = f"SELECT 1 FROM {table} GROUP BY channel, external_id HAVING count(*) > 1"
        return self._staging.is_tangled or bool(self._connection.scalar(text(f"SELECT EXISTS ({twice})")))

    def _items(self, tangled: bool, has_known: bool) -> list[str]:
        """Lines into core; returns the queries for known orders they touched (`has_known`: there are such)."""
        self._run(
            "items_collect",
            lines=sql.read("items_lines_tangled" if tangled else "items_lines"),
            refund_lines=sql.read("refund_lines"),
        )
        self._analyze("t_items", "order_id, line_id, action, is_new")
        actions = self._actions("t_items")
        wanted = actions.get("new", 0) + actions.get("changed", 0)
        if wanted:
            self._run("items_insert")
            if has_known:
                self._run("items_upsert")
        self._resolve_refunds("o.id IN (SELECT order_id FROM t_orders WHERE action <> 'older')")
        self._count("order_items", "inserted", actions.get("new", 0))
        self._count("order_items", "updated", actions.get("changed", 0))
        self._count("order_items", "written", wanted)
        if not has_known:
            return []
        self._execute("CREATE TEMP TABLE t_vanished (order_id bigint) ON COMMIT DROP")
        self._count("order_items", "removed", self._run("items_vanished").rowcount)
        return [
            "SELECT order_id FROM t_items WHERE action IN ('new', 'changed') AND NOT is_new",
            "SELECT order_id FROM t_vanished",
        ]

    def _ledger(self, touched: list[str], has_new_lines: bool) -> None:
        """Record what happened to new orders, and to those known that `touched` (queries for order_id) give."""
        self._run("moved")
        if has_new_lines:
            self._record("ledger_sales", _NEW_LINES)
            self._record("ledger_new", _NOT_ONLY_SOLD)
        if not touched:
            return
        self._run("touched", touched=" UNION ALL ".join(touched))
        if self._execute("SELECT EXISTS (SELECT FROM t_touched)").scalar():
            self._analyze("t_touched", "order_id")
            self._record("ledger_known", _KNOWN_LINES)

    def recount(self, orders: str) -> None:
        """Bring the ledger of the orders that query `orders` (order_id) gives in line with their lines."""
        self._ledger([orders], has_new_lines=False)

    def _record(self, name: str, where: Mapping[str, str]) -> None:
        statement = sql.read(name).replace("{wanted}", sql.read("ledger_wanted"))
        statement = statement.replace("{line_sales}", sql.read("line_sales"))
        statement = statement.replace("{days}", sql.read("ledger_days"))
        for part, value in where.items():
            statement = statement.replace("{%s}" % part, value)  # noqa: UP031 braces are SQL here
        self._connection.execute(text(statement), self._values)

    def returns(self) -> None:
        rows = self._run("returns_upsert").all()
        self._written("returns", "returns", (bool(row.inserted) for row in rows))

    def carts(self) -> None:
        self._run("carts_collect")
        actions = self._actions("t_carts")
        self._run("carts_upsert")
        self._count("carts", "inserted", actions.get("new", 0))
        self._count("carts", "updated", actions.get("changed", 0))
        self._count("carts", "written", actions.get("new", 0) + actions.get("changed", 0))
        if self._staging.has("cart_items"):
            self._run("cart_items_collect")
            rows = self._run("cart_items_upsert").all()
            self._written("cart_items", "cart_items", (bool(row.inserted) for row in rows))
            self._run("cart_items_vanished")

    def customers(self) -> None:
        rows = self._run("customers_upsert").all()
        self._written("customers", "customers", (bool(row.inserted) for row in rows))

    def inventory(
        self, channels: Mapping[int, str], first_answer: Mapping[str, str]
    ) -> tuple[dict[int, str], dict[str, str]]:
        """Stock and its history. `channels`: those a complete snapshot covers; returns those held back and what each
        of them said. A suspect answer equal to that in `first_answer` is believed."""
        if not self._staging.has("inventory"):
            # A complete answer without a single row: nothing to collect, everything to doubt.
            self._connection.execute(text(tables.ddl(self._staging.load_id, "inventory")))
            self._staging.rows["inventory"] = 0
            self._run("listings", references=_no_references())
            self._run("product_of")
        self._run("inventory_collect")
        self._analyze("t_stock", "channel_id, product_id, warehouse_location")
        held: dict[int, str] = {}
        answers: dict[str, str] = {}
        if channels:
            ids = sorted(channels)
            for row in self._run("inventory_suspect", channels=ids):
                if first_answer.get(row.name) != row.answer:
                    held[int(row.id)], answers[str(row.name)] = str(row.name), str(row.answer)
            self._execute("DELETE FROM t_stock WHERE channel_id = ANY (:held)", held=sorted(held))
            self._run("inventory_absent", channels=[channel for channel in ids if channel not in held])
        rows = self._run("inventory_upsert").all()
        self._written("inventory", "inventory", (bool(row.inserted) for row in rows))
        return held, answers

    def describe(self, product_ids: Iterable[int]) -> None:
        """Names and the like of products whose listings changed. One merge at a time does this."""
        products = sorted(set(product_ids))
        if not products:
            return
        self._execute("SELECT pg_advisory_xact_lock(hashtextextended('merge products', 0))")
        self._run("products_from_listings", products=products)

    def _written(self, table: str, frame: str, inserted: Iterable[bool]) -> None:
        flags = list(inserted)
        self._count(table, "inserted", sum(flags))
        self._count(table, "updated", len(flags) - sum(flags))
        self._count(frame, "written", len(flags))

    def _run(self, name: str, **values: Any) -> CursorResult[Any]:
        """Execute statement `name`; values that its text names in braces are put in as text (all are ours)."""
        statement = sql.read(name)
        for part in [part for part in values if "{%s}" % part in statement]:  # noqa: UP031 braces are SQL here
            statement = statement.replace("{%s}" % part, values.pop(part))  # noqa: UP031 braces are SQL here
        statement = statement.replace("{load}", self._staging.load_id)
        return self._connection.execute(text(statement), {**self._values, **values})

    def _execute(self, statement: str, **values: Any) -> CursorResult[Any]:
        return self._connection.execute(text(statement), values)

    def _actions(self, table: str) -> dict[str, int]:
        rows = self._execute(f"SELECT action, count(*) FROM {table} GROUP BY action")
        return {str(action): int(number) for action, number in rows.all()}

    def _ids(self, statement: str, **values: Any) -> set[int]:
        return set(self._execute(statement, **values).scalars().all())

    def _analyze(self, table: str, columns: str) -> None:
        """Have the planner know the size of `table`, and the values of the columns it is joined and filtered by."""
        self._connection.execute(text(f"ANALYZE {table} ({columns})"))


def _no_references() -> str:
    return "SELECT ''::text AS channel, NULL::text AS sku, NULL::text AS external_id, NULL::text AS title"
