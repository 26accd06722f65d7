"""A merchant's own files of order lines, written as small CSVs for tests."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

HEADER = ("Order", "Date", "SKU", "Title", "Qty", "Price", "Currency", "Customer", "Country")


def sold(order: str, sku: str, quantity: object, price: object, **changes: object) -> dict[str, object]:
    """One line of a file, bought by customer 7 on the first of May at noon unless said otherwise."""
    values: dict[str, object] = {
        "Order": order, "Date": "2024-05-01 12:00:00", "SKU": sku, "Title": f"The {sku}", "Qty": quantity,
        "Price": price, "Currency": "EUR", "Customer": "7", "Country": "Germany",
    }  # fmt: skip
    return {**values, **changes}


def write_csv(path: Path, rows: Sequence[Mapping[str, object]], header: Sequence[str] = HEADER) -> Path:
    """`rows` as a CSV with `header`; keys that are not in it are left out."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path
