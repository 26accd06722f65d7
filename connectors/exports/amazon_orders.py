"""The all-orders report a merchant downloads himself in Seller Central: the same frames as Amazon's API gives.

Orders → Order Reports → "All orders", by order date or by last update: text with tabs. What it brings meets what
the API brought under the same order ids; an order's lines replace each other as a whole (see
`connectors.amazon.normalize.all_orders`).
"""

from collections.abc import Iterator
from pathlib import Path

from connectors.amazon.normalize.all_orders import all_orders_report
from connectors.amazon.reports import ALL_ORDERS, Wanted, parts
from connectors.base import Context, Page
from connectors.canonical import Normalized
from connectors.files import GZIP, UTF_16, read_plain


def pages(path: Path) -> Iterator[Page]:
    """The file in parts of some megabytes that hold whole orders; gzip is unpacked.

    Raises ProtocolError when it is no orders report.
    """
    with path.open("rb") as file:
        head = file.read(4096)
        packed = head.startswith(GZIP)
        if not packed and (head.startswith(UTF_16) or b"\t" not in head.split(b"\n", 1)[0]):
            # Saved by a spreadsheet, in UTF-16 or with commas and quotes: its lines cannot be told apart by bytes.
            yield Page(read_plain(path), "csv")
            return
        yield from parts(file, "utf-8", Wanted(ALL_ORDERS, ()), packed=packed)


def orders(page: Page, context: Context) -> Normalized:
    """`orders` and `order_items` of one part."""
    return all_orders_report(page.body, page.charset, context)
