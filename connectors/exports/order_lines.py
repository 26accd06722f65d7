"""A merchant's files of order lines, every line accounted for: a sale, a cancellation of one, or set aside.

`read_lines` gives one row per line of the files, `classify` says what each is, `account` adds up by reason:
the lines of all reasons together are the lines of the files, exactly. Money is kept as whole ten-thousandths.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from connectors.errors import ProtocolError
from connectors.exports.mapping import ColumnMapping, MappingError, infer_mapping
from connectors.exports.sheet import delimiter
from connectors.files import utf8_source

SALE = "sale"
CANCELLATION = "cancellation of a sale"
UNMATCHED = "cancellation without a sale in the files"
DUPLICATE = "invoice already in an earlier file"
NO_ORDER = "missing order id"
NO_SKU = "missing sku"
NOT_PRODUCT = "not a product"
NO_PRICE = "price zero or negative"
NO_QUANTITY = "quantity zero"
STOCK = "stock correction without sale"
BAD_DATE = "unreadable date"
BAD_QUANTITY = "unreadable quantity"
BAD_PRICE = "unreadable price"
BAD_CANCELLATION = "cancellation with positive quantity"
OTHER_CURRENCY = "other currency"
UNREADABLE = frozenset([NO_ORDER, BAD_DATE, BAD_QUANTITY, BAD_PRICE])

LINES = pl.Schema(
    {
        "file": pl.Int64(),  # position among the files
        "row": pl.Int64(),  # position in the file
        "order_id": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "sku": pl.String(),  # upper case: 85123a and 85123A are one product
        "title": pl.String(),
        "quantity": pl.Int64(),
        "price": pl.Int64(),  # of a unit, in ten-thousandths
        "currency": pl.String(),
        "customer": pl.String(),
        "country": pl.String(),
    }
)


@dataclass(frozen=True)
class Classified:
    """All lines with their `reason`, and which sale each cancellation takes back."""

    lines: pl.DataFrame  # LINES + reason; a line's position is its id
    cancelled: pl.DataFrame  # cancellation, sale (positions in `lines`), units, amount (ten-thousandths)


def read_lines(paths: Sequence[Path], mapping: ColumnMapping | None = None) -> pl.DataFrame:
    """One row per line of the files, in the columns of LINES; what cannot be read is null.

    Raises MappingError when a file is missing, is no CSV or parquet, or lacks a column.
    """
    if not paths:
        raise MappingError("no file was named")
    parts = []
    for position, path in enumerate(paths):
        try:
            lazy = _scan(path, mapping.separator if mapping else ",")
            header = lazy.collect_schema()
            used = mapping or infer_mapping(list(header), path.name)
            # Streaming: the file is never whole in memory beside its columns.
            part = lazy.select(_columns(header, used, path.name)).collect(engine="streaming")
        except (pl.exceptions.PolarsError, OSError) as error:
            raise MappingError(f"{path.name}: cannot be read: {str(error).splitlines()[0]}") from error
        parts.append(
            part.select(
                pl.lit(position, dtype=pl.Int64).alias("file"), pl.row_index("row").cast(pl.Int64), pl.all()
            )
        )
    return pl.concat(parts).select(pl.col(name).cast(kind) for name, kind in LINES.items())


def mapping_of(path: Path) -> ColumnMapping:
    """The mapping guessed from a file's header. Raises MappingError like `read_lines`."""
    try:
        return infer_mapping(list(_scan(path, ",").collect_schema()), path.name)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise MappingError(f"{path.name}: cannot be read: {str(error).splitlines()[0]}") from error


def classify(lines: pl.DataFrame, mapping: ColumnMapping, *, one_currency: bool = False) -> Classified:
    """What each line is. The first reason that fits, in the order written here, is the line's.

    With `one_currency` lines in any but the most frequent currency are set aside.
    """
    prefix = mapping.cancellations.prefix
    negative = pl.col("quantity") < 0
    cancels = pl.col("order_id").str.starts_with(prefix) if prefix else negative
    not_product = mapping.not_products.expression
    main = lines["currency"].mode().sort()[0] if one_currency and len(lines) else None
    rules: list[tuple[pl.Expr, str]] = [
        (pl.col("order_id").is_null(), NO_ORDER),
        (pl.col("at").is_null(), BAD_DATE),
        (pl.col("quantity").is_null(), BAD_QUANTITY),
        (pl.col("price").is_null(), BAD_PRICE),
        (pl.col("file") > pl.col("file").min().over("order_id"), DUPLICATE),
        (pl.col("sku").is_null(), NO_SKU),
        (pl.col("sku").str.contains(not_product) if not_product else pl.lit(False), NOT_PRODUCT),
        (pl.col("quantity") == 0, NO_QUANTITY),
        (negative & ~cancels, STOCK),
        (pl.col("price") <= 0, NO_PRICE),
        (pl.col("currency") != main if main else pl.lit(False), OTHER_CURRENCY),
        (cancels & ~negative, BAD_CANCELLATION),
        (cancels, UNMATCHED),  # until a sale is found for it
    ]
    reason = pl.coalesce(*(pl.when(rule).then(pl.lit(text)) for rule, text in rules), pl.lit(SALE))
    sorted_out = lines.with_columns(reason=reason)
    cancelled = _match(sorted_out, same_order=prefix is None)
    matched = pl.Series("cancellation", cancelled["cancellation"].unique(), dtype=pl.Int64)
    position = pl.int_range(pl.len(), dtype=pl.Int64)
    found = pl.when(position.is_in(matched.implode())).then(pl.lit(CANCELLATION)).otherwise("reason")
    return Classified(sorted_out.with_columns(reason=found), cancelled)


def account(lines: pl.DataFrame) -> pl.DataFrame:
    """What became of the lines: reason, lines, units, amount (in the file's money), most lines first.

    Grain: one row per reason; `lines` adds up to all lines. Units and amounts are as the file says them, so
    cancellations are negative; what is unreadable counts as nothing.
    """
    amount = (pl.col("quantity") * pl.col("price")).sum()
    return (
        lines.group_by("reason")
        .agg(
            pl.len().cast(pl.Int64).alias("lines"),
            pl.col("quantity").sum().alias("units"),
            amount.alias("amount"),
        )
        .with_columns(pl.col("amount").cast(pl.Decimal(38, 4)) / pl.lit(10_000))
        .with_columns(pl.col("amount").cast(pl.Decimal(18, 4)))
        .sort("lines", "reason", descending=[True, False])
    )


def _scan(path: Path, separator: str) -> pl.LazyFrame:
    if path.suffix.lower() in (".parquet", ".pq"):
        return pl.scan_parquet(path)
    if not path.is_file():
        raise MappingError(f"{path}: there is no such file")
    try:
        source = utf8_source(path)
    except ProtocolError as error:
        raise MappingError(str(error)) from error
    header = _first_line(source)
    # Every column as text: a SKU 00123 is no number, and one bad cell must not refuse the file.
    return pl.scan_csv(
        source, separator=separator if separator in header else delimiter(header), infer_schema=False
    )


def _first_line(source: Path | BytesIO) -> str:
    if isinstance(source, BytesIO):
        return source.getvalue().partition(b"\n")[0].decode()
    with source.open("rb") as file:
        return file.readline().decode()


def _columns(header: pl.Schema, mapping: ColumnMapping, file: str) -> list[pl.Expr]:
    """Expressions for the columns of LINES but file and row."""

    def column(role: str) -> tuple[pl.Expr, pl.DataType] | None:
        name = mapping.column(role, list(header), file)
        return None if name is None else (pl.col(name), header[name])

    def needed(role: str) -> tuple[pl.Expr, pl.DataType]:
        found = column(role)
        if found is None:
            raise MappingError(f"{file}: no column for the {role}")
        return found

    def text(role: str) -> pl.Expr:
        found = column(role)
        return pl.lit(None, dtype=pl.String) if found is None else _text(*found)

    currency = text("currency").str.to_uppercase().fill_null(mapping.currency)
    return [
        text("order").alias("order_id"),
        _instant(*needed("instant"), mapping).alias("at"),
        text("sku").str.to_uppercase().alias("sku"),
        text("title").alias("title"),
        _number(*needed("quantity"), mapping, 1).alias("quantity"),
        _number(*needed("price"), mapping, 10_000).alias("price"),
        currency.alias("currency"),
        text("customer").alias("customer"),
        text("country").alias("country"),
    ]


def _text(column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """Text without space around it; numbers that only became floats by their gaps lose the ".0"; "" is null."""
    if kind.is_float():
        whole = column == column.round(0)
        text = (
            pl.when(whole)
            .then(column.cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(column.cast(pl.String))
        )
    else:
        text = column.cast(pl.String).str.strip_chars().str.replace(r"^(\d+)\.0$", "$1")
    return pl.when(text != "").then(text)


def _number(column: pl.Expr, kind: pl.DataType, mapping: ColumnMapping, scale: int) -> pl.Expr:
    """A number times `scale` as an integer; null when it is none, or is not whole after that."""
    value = column
    if kind == pl.String:
        plain = column.str.strip_chars().str.replace_all(r"[\s']", "")
        if mapping.decimal_comma:
            plain = plain.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
        else:
            grouped = plain.str.contains(r"^-?\d{1,3}(,\d{3})+(\.\d*)?$")
            plain = pl.when(grouped).then(plain.str.replace_all(",", "", literal=True)).otherwise(plain)
        value = plain.cast(pl.Float64, strict=False)
    scaled = value.cast(pl.Float64, strict=False) * scale
    whole = scaled.round(0)
    # Floats: 6.95 x 10,000 is 69500.00000000001. Beyond 2^53 they no longer count.
    fits = scaled.is_finite() & ((scaled - whole).abs() < 0.001) & (scaled.abs() < 2**53)
    return pl.when(fits).then(whole).cast(pl.Int64, strict=False)


def _instant(column: pl.Expr, kind: pl.DataType, mapping: ColumnMapping) -> pl.Expr:
    """Aware UTC instants; without an offset they are in the mapping's zone."""
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    if kind == pl.String:
        text = column.str.strip_chars()
        offset = text.str.contains(r"(?i)\d(z|[+-]\d\d:?\d\d)$") & text.str.contains(r"\d:\d")
        aware = pl.when(offset).then(text).str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
        formats = [*mapping.date_formats, "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        formats += ["%Y-%m-%dT%H:%M"]
        bare = pl.when(~offset).then(text)
        naive = pl.coalesce(
            *(bare.str.to_datetime(form, time_unit="us", strict=False) for form in formats),
            *(
                bare.str.to_date(form, strict=False).cast(pl.Datetime("us"))
                for form in (*mapping.date_formats, "%Y-%m-%d")
            ),
        )
        return pl.coalesce(aware, _in_zone(naive, mapping.timezone))
    return _in_zone(column.cast(pl.Datetime("us"), strict=False), mapping.timezone)


def _in_zone(naive: pl.Expr, zone: str) -> pl.Expr:
    """Local time to UTC. An hour that stands twice is the first, one that was skipped is the hour after."""
    local = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    skipped = (naive + pl.duration(hours=1)).dt.replace_time_zone(
        zone, ambiguous="earliest", non_existent="null"
    )
    return pl.coalesce(local, skipped).dt.convert_time_zone("UTC")


def _match(lines: pl.DataFrame, *, same_order: bool) -> pl.DataFrame:
    """Finds for each cancellation the sale it takes back: same customer and SKU, not later, newest first.

    The newest sale with enough units (and money) left; when none has enough, several, newest first; when all
    together have not, none: a line is either taken back whole or set aside. With `same_order` a sale in the
    cancellation's own order comes before all others, whoever bought.
    """
    numbered = lines.with_row_index("id")
    wanted = numbered.filter(reason=UNMATCHED).sort("at", "file", "row")
    sales = numbered.filter(reason=SALE).sort("at", "file", "row")
    owners = [_owner(wanted, sales, ["customer", "sku"])]
    if same_order:
        owners.insert(0, _owner(wanted, sales, ["order_id", "sku"]))
    left: dict[int, tuple[int, int, Any, int]] = {}  # sale: units, money, at, price
    groups: list[dict[tuple[Any, ...], list[int]]] = []
    for keys, frame in owners:
        group: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for *key, sale, units, price, at in frame.select(*keys, "id", "quantity", "price", "at").iter_rows():
            left.setdefault(sale, (units, units * price, at, price))
            group[tuple(key)].append(sale)
        groups.append(group)
    found: list[tuple[int, int, int, int]] = []
    for row in wanted.iter_rows(named=True):
        units, price = -row["quantity"], row["price"]
        for (keys, _), group in zip(owners, groups, strict=True):
            sold = [
                sale for sale in group.get(tuple(row[key] for key in keys), ()) if left[sale][2] <= row["at"]
            ]
            parts = _take(units, price, sold, left)
            if parts:
                found.extend((row["id"], *part) for part in parts)
                break
    names = ("cancellation", "sale", "units", "amount")
    return pl.DataFrame(found, schema=dict.fromkeys(names, pl.Int64), orient="row")


def _owner(wanted: pl.DataFrame, sales: pl.DataFrame, keys: list[str]) -> tuple[list[str], pl.DataFrame]:
    """The sales that share `keys` with some cancellation; nulls (unknown customers) are nobody's."""
    return keys, sales.join(wanted.select(keys).unique(), on=keys, how="semi")


def _take(
    units: int, price: int, sold: list[int], left: dict[int, tuple[int, int, Any, int]]
) -> list[tuple[int, int, int]]:
    """(sale, units, amount) for `units` at `price` out of `sold` (oldest first); takes them from `left`."""
    parts: list[tuple[int, int, int]] = []
    enough = [sale for sale in reversed(sold) if left[sale][0] >= units and left[sale][1] >= units * price]
    if enough:
        # Of those, one at the very price of the cancellation is the likeliest.
        sale = next((sale for sale in enough if left[sale][3] == price), enough[0])
        parts = [(sale, units, units * price)]
    else:
        missing = units
        for sale in reversed(sold):
            there, amount = left[sale][0], left[sale][1]
            some = min(missing, there, amount // price)
            if some > 0:
                parts.append((sale, some, some * price))
                missing -= some
        if missing:
            return []
    for sale, some, amount in parts:
        there, rest, at, paid = left[sale]
        left[sale] = (there - some, rest - amount, at, paid)
    return parts
