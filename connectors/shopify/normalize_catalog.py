"""Products (one row a variant) and stock (one row an item and place), from the GraphQL shapes."""

import msgspec
import polars as pl

from connectors.base import Context
from connectors.shopify import rest, rest_shapes
from connectors.shopify.find import Kind, gid_number, no_children, only, ref_number
from connectors.shopify.shapes import (
    Amount,
    Connection,
    InventoryItem,
    InventoryItemCost,
    Level,
    Location,
    Money,
    Product,
    ProductOf,
    Quantity,
    Ref,
    Variant,
)
from connectors.shopify.sheets import BadValueError, Sheet
from connectors.shopify.values import text

_STATUS = frozenset("ACTIVE ARCHIVED DRAFT UNLISTED".split())
# A product with one variant has this in place of a variant's title.
_NO_VARIANT = "Default Title"

_RESERVED = ("committed", "reserved", "safety_stock")
_UNAVAILABLE = ("damaged", "quality_control")
_QUANTITIES = frozenset([*_RESERVED, *_UNAVAILABLE, "available", "incoming", "on_hand"])


class ProductBook:
    """Frame products of one page. `external_id` is the variant's: it is what an order line names."""

    def __init__(self, context: Context) -> None:
        self.notes: dict[str, None] = {}
        # A variant's price is in the shop's currency and does not say which that is.
        self._currency = context.home.currency or None
        self._products = Sheet("products", context.home.name)

    def sheets(self) -> tuple[Sheet, ...]:
        return (self._products,)

    def frames(self) -> dict[str, pl.DataFrame]:
        return {"products": self._products.frame()}

    def add(self, product: Product | Variant) -> None:
        """All variants of a product, or one variant that names its product."""
        if isinstance(product, Variant):
            self._add_variant(product.product, product)
            return
        if product.status is not None and product.status not in _STATUS:
            self.notes[f"unknown value {product.status} in products.status"] = None
        if product.variants is not None and product.variants.is_partial:
            self.notes["products: a stored product holds only the first page of its variants"] = None
        if product.variants is None:
            self.notes["products: products came without their variants, which alone have SKU and price"] = (
                None
            )
            self._add_variant(product, Variant(product.id))
            return
        for variant in product.variants.items():
            self._add_variant(product, variant)

    def _add_variant(self, product: ProductOf | None, variant: Variant) -> None:
        name = text(product.title) if product else None
        item = variant.inventory_item
        self._products.rows.append(
            (
                gid_number(variant.id),
                text(variant.sku) or (text(item.sku) if item else None),
                _listing_title(name, text(variant.title)),
                name,
                _category(product),
                text(product.vendor) if product else None,
                text(variant.barcode),
                price := _price(variant.price),
                self._currency_of(variant) if price is not None else None,
                str(item.unit_cost.amount) if item and item.unit_cost else None,
                product.status == "ACTIVE" if product and product.status else None,
                _latest(variant.updated_at, product.updated_at if product else None),
            )
        )

    def _currency_of(self, variant: Variant) -> str | None:
        """A price has no currency of its own in most answers; a cost has, and it is the shop's."""
        cost = variant.inventory_item.unit_cost if variant.inventory_item else None
        stated = [money.currency_code for money in (variant.price, cost) if isinstance(money, Money)]
        return next((code for code in stated if code), self._currency)


class InventoryBook:
    """Frame inventory of one page; `external_id` is the variant's, where it is said."""

    def __init__(self, context: Context) -> None:
        self.notes: dict[str, None] = {}
        self._inventory = Sheet("inventory", context.home.name)

    def sheets(self) -> tuple[Sheet, ...]:
        return (self._inventory,)

    def frames(self) -> dict[str, pl.DataFrame]:
        return {"inventory": self._inventory.frame()}

    def add(self, record: InventoryItem | Level | Product | Variant) -> None:
        """An item with its levels, one level that names its item, or products whose variants tell their stock."""
        if isinstance(record, Product):
            for variant in record.variants.items() if record.variants else ():
                self._add_variant(variant)
            return
        if isinstance(record, Variant):
            self._add_variant(record)
            return
        if isinstance(record, Level):
            if record.item is None:
                raise BadValueError("item", "a stock level that does not say of what")
            self._add_level(record.item, record)
            return
        if record.inventory_levels is None:
            self.notes["inventory: items came without their levels, which alone say quantities"] = None
            return
        for level in record.inventory_levels.items():
            self._add_level(record, level)

    def _add_variant(self, variant: Variant) -> None:
        told = variant.inventory_item or InventoryItemCost()
        item = InventoryItem(
            id=told.id or variant.id,
            sku=text(variant.sku) or told.sku,
            tracked=told.tracked,
            updated_at=variant.updated_at,
            variant=Ref(variant.id),
        )
        levels = told.inventory_levels.items() if told.inventory_levels else []
        if not levels and variant.inventory_quantity is not None:
            self.notes["inventory: variants say their stock at all places together; its location is null"] = (
                None
            )
            levels = [Level(id="", available=variant.inventory_quantity)]
        for level in levels:
            self._add_level(item, level)

    def _add_level(self, item: InventoryItem, level: Level) -> None:
        if item.tracked is False:
            # Shopify sells it without counting: its quantities are noise, and zero would look like a stock-out.
            self.notes["inventory: items that Shopify does not track have no stock rows"] = None
            return
        told = {quantity.name: quantity for quantity in level.quantities or ()}
        for name in told.keys() - _QUANTITIES:
            self.notes[f"unknown value {name} in inventory.quantities.name"] = None
        variant_id = ref_number(item.variant)
        sku = text(item.sku) or variant_id
        available = told["available"].quantity if "available" in told else level.available
        self._inventory.rows.append(
            (
                # Stock needs a name to be kept under; a variant without SKU goes by its id everywhere. REST levels
                # say neither: then the inventory item's id is all that tells one from another.
                sku,
                variant_id or (None if sku else gid_number(item.id)),
                gid_number(level.location.id if level.location else level.id) or None,
                available,
                _summed(told, _RESERVED),
                _summed(told, ("incoming",)),
                _summed(told, ("on_hand",)),
                _summed(told, _UNAVAILABLE),
                _latest(*(quantity.updated_at for quantity in told.values()))
                or level.updated_at
                or item.updated_at,
            )
        )


def _summed(told: dict[str, Quantity], names: tuple[str, ...]) -> int | None:
    """The sum of those quantities that were asked for; null when none was."""
    known = [told[name].quantity for name in names if name in told]
    return sum(known) if known else None


def _latest(*instants: str | None) -> str | None:
    """The latest of several instants of one source, which writes them all alike."""
    return max((instant for instant in instants if instant), default=None)


def _price(price: Amount | Money | None) -> str | None:
    if price is None or price == "":
        return None
    return str(price.amount if isinstance(price, Money) else price)


def _listing_title(product: str | None, variant: str | None) -> str | None:
    if variant is None or variant == _NO_VARIANT:
        return product
    return f"{product} - {variant}" if product else variant


def _category(product: ProductOf | None) -> str | None:
    if product is None:
        return None
    taxonomy = product.category
    return (text(taxonomy.full_name) or text(taxonomy.name) if taxonomy else None) or text(
        product.product_type
    )


_variants = msgspec.json.Decoder(list[Variant])
_levels = msgspec.json.Decoder(list[Level])


def _attach_variants(product: Product, children: list[bytes]) -> None:
    variants = _variants.decode(only(children, "ProductVariant"))
    product.variants = Connection(nodes=variants)
    if len(variants) < len(children):
        levels = _levels.decode(only(children, "InventoryLevel", b'"location"'))
        for variant in variants:
            item = variant.inventory_item.id if variant.inventory_item else None
            _give_levels(variant, [level for level in levels if level.parent_id in {variant.id, item}])


def _attach_variant_levels(variant: Variant, children: list[bytes]) -> None:
    _give_levels(variant, _levels.decode(only(children, "InventoryLevel", b'"location"')))


def _give_levels(variant: Variant, levels: list[Level]) -> None:
    if levels:
        variant.inventory_item = variant.inventory_item or InventoryItemCost()
        variant.inventory_item.inventory_levels = Connection(nodes=levels)


def _attach_levels(item: InventoryItem, children: list[bytes]) -> None:
    item.inventory_levels = Connection(nodes=_levels.decode(only(children, "InventoryLevel", b'"location"')))


def _place_level(level: Level, location: str) -> None:
    level.location = level.location or Location(location)


PRODUCTS: Kind[Product] = Kind(
    gid="Product",
    plural=("products",),
    singular=("product",),
    shape=Product,
    attach=_attach_variants,
    from_rest=rest.product,
    rest_shape=rest_shapes.RestProduct,
)
VARIANTS: Kind[Variant] = Kind(
    gid="ProductVariant",
    plural=("productVariants", "variants"),
    singular=("productVariant", "variant"),
    shape=Variant,
    attach=_attach_variant_levels,
    from_rest=rest.variant,
    rest_shape=rest_shapes.RestVariant,
)
ITEMS: Kind[InventoryItem] = Kind(
    gid="InventoryItem",
    plural=("inventoryItems", "inventory_levels", "inventory_items"),
    singular=("inventoryItem", "inventory_level", "inventory_item"),
    shape=InventoryItem,
    attach=_attach_levels,
    from_rest=rest.inventory_level,
    rest_shape=rest_shapes.RestLevel,
    rest_key="inventory_item_id",
    rest_gid="InventoryLevel",
)
LEVELS: Kind[Level] = Kind(
    gid="InventoryLevel",
    plural=("inventoryLevels",),
    singular=("inventoryLevel",),
    shape=Level,
    attach=no_children,
    place=_place_level,
)
