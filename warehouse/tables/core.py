"""`core`: what we believe about channels, products, orders and stock."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.tables.base import Base, Code, Count, Day, Id, Key, Money, UtcDateTime, numbers_only

NOW = text("clock_timestamp()")


class Channel(Base):
    """A place we sell. Grain: name."""

    __tablename__ = "channels"
    __table_args__ = (
        UniqueConstraint("name"),
        {"schema": "core", "comment": "A place we sell, such as amazon-us. Grain: name."},
    )

    id: Mapped[Id]
    name: Mapped[Code] = mapped_column(comment="Unique name, e.g. amazon-us.")
    platform: Mapped[Code] = mapped_column(comment="amazon, shopify or walmart.")
    account: Mapped[Code] = mapped_column(comment="The seller account this channel belongs to.")
    external_id: Mapped[Code | None] = mapped_column(comment="The source's id: marketplace id, shop name.")
    currency: Mapped[Code] = mapped_column(comment="ISO 4217 currency the channel sells in.")
    timezone: Mapped[Code] = mapped_column(comment="IANA time zone that decides the business day.")
    is_active: Mapped[bool] = mapped_column(server_default=text("true"), comment="False: no longer synced.")
    last_sync_at: Mapped[UtcDateTime | None] = mapped_column(
        comment="Commit of the last sync of any resource."
    )


class Product(Base):
    """One thing we sell, the same across channels. Grain: merchant SKU."""

    __tablename__ = "products"
    __table_args__ = (
        UniqueConstraint("sku"),
        numbers_only("cost_price"),
        {"schema": "core", "comment": "One product across channels. Grain: merchant SKU."},
    )

    id: Mapped[Id]
    sku: Mapped[Code] = mapped_column(comment="The merchant's SKU; unique.")
    name: Mapped[Code | None] = mapped_column(comment="Newest name any listing states.")
    category: Mapped[Code | None] = mapped_column(comment="Newest category any listing states.")
    brand: Mapped[Code | None] = mapped_column(comment="Newest brand any listing states.")
    barcode: Mapped[Code | None] = mapped_column(comment="Newest barcode any listing states.")
    cost_price: Mapped[Money | None] = mapped_column(comment="Unit cost; null where no source says.")
    cost_currency: Mapped[Code | None] = mapped_column(comment="ISO 4217 currency of cost_price.")
    is_stub: Mapped[bool] = mapped_column(
        server_default=text("true"), comment="True: seen on an order or in stock, in no catalogue yet."
    )
    created_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="First seen.")
    updated_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="Last change of this row.")


class ChannelProduct(Base):
    """How a product is listed on a channel. Grain: (channel, the channel's id of it)."""

    __tablename__ = "channel_products"
    __table_args__ = (
        UniqueConstraint("channel_id", "external_id"),
        Index(None, "product_id"),
        numbers_only("listing_price", "cost_price"),
        {"schema": "core", "comment": "A listing. Grain: (channel_id, external_id)."},
    )

    id: Mapped[Id]
    channel_id: Mapped[Key] = mapped_column(ForeignKey("core.channels.id"), comment="Where it is listed.")
    product_id: Mapped[Key] = mapped_column(ForeignKey("core.products.id"), comment="What is listed.")
    external_id: Mapped[Code] = mapped_column(comment="The channel's id: ASIN, variant id, item id, or SKU.")
    sku: Mapped[Code | None] = mapped_column(comment="The SKU as this channel states it.")
    listing_title: Mapped[Code | None] = mapped_column(comment="Title of the listing; buyer-facing text.")
    listing_price: Mapped[Money | None] = mapped_column(comment="Price asked, in `currency`.")
    currency: Mapped[Code | None] = mapped_column(comment="ISO 4217 currency of the price.")
    name: Mapped[Code | None] = mapped_column(comment="Product name this listing states.")
    category: Mapped[Code | None] = mapped_column(comment="Category this listing states.")
    brand: Mapped[Code | None] = mapped_column(comment="Brand this listing states.")
    barcode: Mapped[Code | None] = mapped_column(comment="Barcode this listing states.")
    cost_price: Mapped[Money | None] = mapped_column(comment="Unit cost this listing states.")
    is_active: Mapped[bool] = mapped_column(server_default=text("true"), comment="Offered now.")
    is_stub: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="True: known from an order line only, in no catalogue yet."
    )
    source_updated_at: Mapped[UtcDateTime | None] = mapped_column(comment="The source's version clock.")


class SkuMap(Base):
    """SKUs that differ between channels. Grain: (channel, the channel's SKU)."""

    __tablename__ = "sku_map"
    __table_args__ = (
        {
            "schema": "core",
            "comment": "A channel's SKU for a merchant SKU. Grain: (channel_id, channel_sku).",
        },
    )

    channel_id: Mapped[Key] = mapped_column(
        ForeignKey("core.channels.id"), primary_key=True, comment="Where the SKU is used."
    )
    channel_sku: Mapped[Code] = mapped_column(primary_key=True, comment="The SKU as the channel states it.")
    sku: Mapped[Code] = mapped_column(comment="The merchant's SKU it stands for.")


class Order(Base):
    """One order, newest version. Grain: (channel, external_id).

    No foreign keys on the three bulk tables (orders, order_items, sales_events): a check per row doubles the
    time of a load, the merge inserts them by join, and `warehouse.checks` looks for orphans.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("channel_id", "external_id"),
        # By block ranges: days of orders arrive roughly together, and keeping it costs a load nothing.
        Index(
            "ix_orders_order_date",
            "order_date",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 16},
        ),
        CheckConstraint("status IN ('pending', 'open', 'completed', 'cancelled')", name="status"),
        numbers_only("subtotal", "discount", "shipping", "tax", "total", "refunded"),
        {"schema": "core", "comment": "Orders, newest version each. Grain: (channel_id, external_id)."},
    )

    id: Mapped[Id]
    channel_id: Mapped[Key] = mapped_column(comment="core.channels.id.")
    external_id: Mapped[Code] = mapped_column(comment="The source's order id.")
    order_number: Mapped[Code | None] = mapped_column(comment="The number buyers and sellers see.")
    ordered_at: Mapped[UtcDateTime] = mapped_column(comment="When it was placed.")
    order_date: Mapped[Day] = mapped_column(comment="Business day of ordered_at in the channel's time zone.")
    source_updated_at: Mapped[UtcDateTime] = mapped_column(comment="Version clock: the source's last change.")
    customer_key: Mapped[Code | None] = mapped_column(comment="Keyed pseudonym of the buyer; never a name.")
    status: Mapped[Code] = mapped_column(comment="pending, open, completed or cancelled.")
    fulfillment_status: Mapped[Code | None] = mapped_column(comment="As the source says.")
    fulfilled_by: Mapped[Code | None] = mapped_column(comment="marketplace, merchant or null.")
    currency: Mapped[Code | None] = mapped_column(comment="ISO 4217 currency of every amount here.")
    subtotal: Mapped[Money | None] = mapped_column(comment="Before discounts, tax and shipping.")
    discount: Mapped[Money | None] = mapped_column(comment="Positive.")
    shipping: Mapped[Money | None] = mapped_column(comment="Shipping charged.")
    tax: Mapped[Money | None] = mapped_column(comment="Tax charged.")
    total: Mapped[Money | None] = mapped_column(comment="What the buyer paid.")
    refunded: Mapped[Money | None] = mapped_column(comment="Positive; given back so far, tax included.")
    ship_country: Mapped[Code | None] = mapped_column(comment="ISO 3166 alpha-2.")
    ship_region: Mapped[Code | None] = mapped_column(comment="State or province.")
    is_replacement: Mapped[bool] = mapped_column(comment="Free replacement: no sale, no money.")
    is_test: Mapped[bool] = mapped_column(comment="Test order: kept, counted nowhere.")
    cancelled_at: Mapped[UtcDateTime | None] = mapped_column(comment="Null: not cancelled, or not told when.")
    ship_by_at: Mapped[UtcDateTime | None] = mapped_column(
        comment="Promised to the buyer: sent by then. Null: not told, as are the three below."
    )
    deliver_by_at: Mapped[UtcDateTime | None] = mapped_column(comment="Promised: delivered by then.")
    shipped_at: Mapped[UtcDateTime | None] = mapped_column(comment="When the last of it was sent.")
    delivered_at: Mapped[UtcDateTime | None] = mapped_column(comment="When the last of it arrived.")
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that wrote this version.")


class OrderItem(Base):
    """One line of an order, newest version. Grain: (order, line_id)."""

    __tablename__ = "order_items"
    __table_args__ = (
        # The key is the one the merge looks up; a second index on `id` would cost a fifth of a load.
        PrimaryKeyConstraint("order_id", "line_id"),
        CheckConstraint(
            "quantity >= 0 AND cancelled_quantity >= 0 AND refunded_quantity >= 0", name="quantities"
        ),
        numbers_only(
            "unit_price", "discount", "tax", "total", "refunded_amount", "net_amount", "refunded_net_amount"
        ),
        {"schema": "core", "comment": "Order lines, newest version each. Grain: (order_id, line_id)."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), comment="Number of the row.")
    order_id: Mapped[Key] = mapped_column(comment="core.orders.id.")
    line_id: Mapped[Code] = mapped_column(comment="The source's line id, unique in the order.")
    product_id: Mapped[Key | None] = mapped_column(
        comment="core.products.id; null: a line without a product."
    )
    sku: Mapped[Code | None] = mapped_column(comment="SKU as the channel states it.")
    external_id: Mapped[Code | None] = mapped_column(comment="The channel's product id.")
    title: Mapped[Code | None] = mapped_column(comment="Title at the time of the order.")
    quantity: Mapped[Count] = mapped_column(comment="Units ordered, cancelled and refunded ones included.")
    cancelled_quantity: Mapped[Count] = mapped_column(comment="Units taken out before shipping.")
    refunded_quantity: Mapped[Count] = mapped_column(comment="Units refunded: max(stated, sum of refunds).")
    unit_price: Mapped[Money | None] = mapped_column(comment="Before discounts; with tax if tax_included.")
    discount: Mapped[Money | None] = mapped_column(comment="Of the whole line; positive.")
    tax: Mapped[Money | None] = mapped_column(comment="Of the whole line.")
    total: Mapped[Money | None] = mapped_column(comment="quantity x unit_price - discount + tax.")
    refunded_amount: Mapped[Money | None] = mapped_column(
        comment="Given back for this line, tax included: max(stated, sum of refunds). Positive."
    )
    net_amount: Mapped[Money | None] = mapped_column(
        comment="For `quantity` units: after discounts, before tax and shipping. The line's revenue as sold."
    )
    refunded_net_amount: Mapped[Money | None] = mapped_column(
        comment="Part of refunded_amount that undoes net_amount."
    )
    stated_refunded_quantity: Mapped[Count | None] = mapped_column(comment="Refunded units the order states.")
    stated_refunded_amount: Mapped[Money | None] = mapped_column(comment="Refunded amount the order states.")
    stated_refunded_net_amount: Mapped[Money | None] = mapped_column(comment="Its net part, as stated.")
    tax_included: Mapped[bool] = mapped_column(comment="Prices contain tax.")
    is_gift_card: Mapped[bool] = mapped_column(comment="A liability, not revenue.")


class Refund(Base):
    """Money given back at one instant. Grain: (channel, order, refund, line)."""

    __tablename__ = "refunds"
    __table_args__ = (
        UniqueConstraint("channel_id", "order_external_id", "refund_id", "line_id"),
        numbers_only("amount", "net_amount"),
        {
            "schema": "core",
            "comment": "Dated refunds by line. Grain: (channel_id, order_external_id, refund_id, line_id).",
        },
    )

    id: Mapped[Id]
    channel_id: Mapped[Key] = mapped_column(ForeignKey("core.channels.id"), comment="core.channels.id.")
    order_external_id: Mapped[Code] = mapped_column(
        comment="The source's order id; the order may come later."
    )
    refund_id: Mapped[Code] = mapped_column(comment="The source's refund id.")
    line_id: Mapped[Code] = mapped_column(
        comment="The line as the source names it here; empty for the order as a whole."
    )
    order_line_id: Mapped[Code] = mapped_column(
        comment="core.order_items.line_id of that line: some sources name a line by SKU and place, e.g. MUG#1."
    )
    quantity: Mapped[Count] = mapped_column(comment="Units refunded.")
    amount: Mapped[Money | None] = mapped_column(comment="Positive, tax and shipping included.")
    net_amount: Mapped[Money | None] = mapped_column(comment="Part that undoes item revenue.")
    currency: Mapped[Code | None] = mapped_column(comment="ISO 4217 currency.")
    refunded_at: Mapped[UtcDateTime | None] = mapped_column(comment="When; null where the source is silent.")
    source_updated_at: Mapped[UtcDateTime | None] = mapped_column(comment="The source's version clock.")
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that wrote this version.")


class Return(Base):
    """Goods coming back. Grain: (channel, return, return line)."""

    __tablename__ = "returns"
    __table_args__ = (
        UniqueConstraint("channel_id", "return_id", "return_line_id"),
        numbers_only("amount"),
        {"schema": "core", "comment": "Returned goods. Grain: (channel_id, return_id, return_line_id)."},
    )

    id: Mapped[Id]
    channel_id: Mapped[Key] = mapped_column(ForeignKey("core.channels.id"), comment="core.channels.id.")
    return_id: Mapped[Code] = mapped_column(comment="The source's return id.")
    return_line_id: Mapped[Code] = mapped_column(comment="The source's line of it; empty where it has none.")
    order_external_id: Mapped[Code | None] = mapped_column(comment="The order it belongs to.")
    line_id: Mapped[Code | None] = mapped_column(comment="The order line it belongs to.")
    product_id: Mapped[Key | None] = mapped_column(comment="core.products.id.")
    sku: Mapped[Code | None] = mapped_column(comment="SKU as the channel states it.")
    quantity: Mapped[Count] = mapped_column(comment="Units coming back.")
    refunded_quantity: Mapped[Count | None] = mapped_column(comment="Units of them refunded.")
    amount: Mapped[Money | None] = mapped_column(comment="Refunded for them; positive.")
    currency: Mapped[Code | None] = mapped_column(comment="ISO 4217 currency.")
    reason: Mapped[Code | None] = mapped_column(comment="Why, in the source's words.")
    status: Mapped[Code | None] = mapped_column(comment="As the source says.")
    returned_at: Mapped[UtcDateTime | None] = mapped_column(comment="When.")
    source_updated_at: Mapped[UtcDateTime | None] = mapped_column(comment="The source's version clock.")
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that wrote this version.")


class Cart(Base):
    """A checkout that was begun. Grain: (channel, external_id)."""

    __tablename__ = "carts"
    __table_args__ = (
        UniqueConstraint("channel_id", "external_id"),
        numbers_only("total"),
        {"schema": "core", "comment": "Checkouts begun. Grain: (channel_id, external_id)."},
    )

    id: Mapped[Id]
    channel_id: Mapped[Key] = mapped_column(ForeignKey("core.channels.id"), comment="core.channels.id.")
    external_id: Mapped[Code] = mapped_column(comment="The source's id.")
    created_at: Mapped[UtcDateTime] = mapped_column(comment="Begun.")
    source_updated_at: Mapped[UtcDateTime | None] = mapped_column(comment="The source's version clock.")
    completed_at: Mapped[UtcDateTime | None] = mapped_column(comment="Became an order; null: abandoned.")
    customer_key: Mapped[Code | None] = mapped_column(comment="Keyed pseudonym.")
    currency: Mapped[Code | None] = mapped_column(comment="ISO 4217 currency.")
    total: Mapped[Money | None] = mapped_column(comment="What it would have cost.")
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that wrote this version.")


class CartItem(Base):
    """One line of a cart. Grain: (cart, line_id)."""

    __tablename__ = "cart_items"
    __table_args__ = (
        numbers_only("total"),
        {"schema": "core", "comment": "Lines of checkouts. Grain: (cart_id, line_id)."},
    )

    cart_id: Mapped[Key] = mapped_column(
        ForeignKey("core.carts.id", ondelete="CASCADE"), primary_key=True, comment="core.carts.id."
    )
    line_id: Mapped[Code] = mapped_column(primary_key=True, comment="The source's line id.")
    product_id: Mapped[Key | None] = mapped_column(comment="core.products.id.")
    sku: Mapped[Code | None] = mapped_column(comment="SKU as the channel states it.")
    external_id: Mapped[Code | None] = mapped_column(comment="The channel's product id.")
    title: Mapped[Code | None] = mapped_column(comment="Title shown.")
    quantity: Mapped[Count] = mapped_column(comment="Units.")
    total: Mapped[Money | None] = mapped_column(comment="Of the line.")
