"""How a merchant's own file of order lines names things: read from a small TOML file, or guessed from the header.

currency = "GBP"                  # of files without a currency column
timezone = "Europe/London"        # of instants without an offset
date_formats = ["%d/%m/%Y %H:%M"] # tried before ISO 8601
decimal_comma = false
[columns]                         # a name, or a list of names of which each file has one
order = "Invoice"
instant = "InvoiceDate"
sku = "StockCode"
quantity = "Quantity"
price = "Price"
title = "Description"             # this and the rest may be missing
customer = "Customer ID"
country = "Country"
currency = "Currency"
[cancellations]
prefix = "C"                      # order ids that begin so; without it any negative quantity is one
[not_products]
codes = ["POST"]                  # whole codes and regular expressions, upper and lower case alike
patterns = ["GIFT.*"]
"""

import re
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

REQUIRED = ("order", "instant", "sku", "quantity", "price")
OPTIONAL = ("title", "customer", "country", "currency")

# Spellings of the columns in common files, lower case without spaces and punctuation, best first.
_KNOWN = {
    "order": ("order", "orderid", "ordernumber", "orderno", "invoice", "invoiceno", "invoiceid", "invoicenumber",
              "amazonorderid", "purchaseorderid", "transactionid"),
    "instant": ("instant", "orderedat", "orderdate", "invoicedate", "purchasedate", "createdat", "datetime",
                "timestamp", "date", "transactiondate"),
    "sku": ("sku", "stockcode", "productsku", "itemsku", "sellersku", "productid", "productcode", "itemid", "itemcode"),
    "quantity": ("quantity", "qty", "units", "quantitypurchased", "quantityordered"),
    "price": ("unitprice", "price", "itemprice", "priceperunit", "sellingprice"),
    "title": ("title", "description", "productname", "producttitle", "productdescription", "itemname", "name",
              "product"),
    "customer": ("customer", "customerid", "customernumber", "customeremail", "email", "buyerid", "buyer"),
    "country": ("country", "shipcountry", "shippingcountry", "countrycode"),
    "currency": ("currency", "currencycode"),
}  # fmt: skip


class MappingError(ValueError):
    """A mapping, or a file it is for, cannot be used; one line says why and what to do."""


def _names(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_names), Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Columns(_Table):
    """Which column holds what."""

    order: Names
    instant: Names
    sku: Names
    quantity: Names
    price: Names
    title: Names | None = None
    customer: Names | None = None
    country: Names | None = None
    currency: Names | None = None


class Cancellations(_Table):
    """How a cancelled unit looks: an order id with a prefix, or (without one) a negative quantity."""

    prefix: str | None = None


class NotProducts(_Table):
    """Codes that stand in the SKU column and are nothing one can sell."""

    codes: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    @field_validator("patterns")
    @classmethod
    def _compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return patterns

    @property
    def expression(self) -> str | None:
        """One regular expression for all of them, to be matched against the whole upper-cased code."""
        parts = [*(re.escape(code.upper()) for code in self.codes), *self.patterns]
        return f"(?i)^(?:{'|'.join(parts)})$" if parts else None


class ColumnMapping(_Table):
    """A mapping file, checked."""

    columns: Columns
    currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    timezone: str = "UTC"
    date_formats: tuple[str, ...] = ()
    decimal_comma: bool = False
    separator: str = Field(default=",", min_length=1, max_length=1)
    cancellations: Cancellations = Cancellations()
    not_products: NotProducts = NotProducts()

    @model_validator(mode="after")
    def _known_zone(self) -> Self:
        try:
            ZoneInfo(self.timezone)
        except (OSError, ValueError, KeyError) as error:  # KeyError: how zoneinfo says "not found"
            raise ValueError(
                f"timezone {self.timezone!r} is unknown; use a name such as Europe/Berlin"
            ) from error
        return self

    def column(self, role: str, header: Sequence[str], file: str) -> str | None:
        """The column of this header that plays `role`. Raises MappingError when a needed one is absent."""
        names: tuple[str, ...] = getattr(self.columns, role) or ()
        found = next((name for name in names if name in header), None)
        if found is None and role in REQUIRED:
            raise MappingError(
                f"{file}: no column {' or '.join(repr(name) for name in names)} for the {role}; "
                f"the file has {', '.join(header)}"
            )
        return found


def read_mapping(path: Path) -> ColumnMapping:
    """The mapping in a TOML file. Raises MappingError when it is missing or wrong."""
    try:
        return _checked(tomllib.loads(path.read_text(encoding="utf-8")), path.name)
    except OSError as error:
        raise MappingError(f"{path}: the mapping cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"{path}: not a TOML file: {error}") from error


def bundled_mapping(name: str) -> ColumnMapping:
    """A mapping that comes with the project, such as "online_retail"."""
    text = files("connectors.exports").joinpath("mappings", f"{name}.toml").read_text(encoding="utf-8")
    return _checked(tomllib.loads(text), name)


def infer_mapping(
    header: Sequence[str], file: str, *, currency: str = "USD", timezone: str = "UTC"
) -> ColumnMapping:
    """A mapping guessed from well-known column names. Raises MappingError that names what was not found."""
    folded: dict[str, str] = {}
    for name in header:
        folded.setdefault(re.sub(r"[^a-z0-9]", "", name.lower()), name)
    if {"stockcode", "invoicedate"} <= folded.keys() and folded.keys() & {"invoice", "invoiceno"}:
        return bundled_mapping("online_retail")
    found = {
        role: next((folded[name] for name in names if name in folded), None) for role, names in _KNOWN.items()
    }
    if missing := [role for role in REQUIRED if found[role] is None]:
        raise MappingError(
            f"{file}: cannot tell which column is the {' and the '.join(missing)} (there are {', '.join(header)}); "
            "name the columns in a mapping file"
        )
    columns = {role: name for role, name in found.items() if name is not None}
    return _checked({"columns": columns, "currency": currency, "timezone": timezone}, file)


def _checked(table: dict[str, object], file: str) -> ColumnMapping:
    try:
        return ColumnMapping.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "mapping"
        raise MappingError(f"{file}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
