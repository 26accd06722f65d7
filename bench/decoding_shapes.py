"""Structs of just the fields `bench.decoding` reads, and their msgspec decoders."""

import msgspec


class Struct(msgspec.Struct, gc=False):
    """Nothing but what the two frames need."""


class Amount(Struct):
    amount: str


class AmazonPrice(Struct):
    unitPrice: Amount


class AmazonProduct(Struct):
    price: AmazonPrice | None = None
    sellerSku: str | None = None


class AmazonItem(Struct):
    orderItemId: str
    quantityOrdered: int
    product: AmazonProduct


class AmazonAddress(Struct):
    countryCode: str


class AmazonRecipient(Struct):
    deliveryAddress: AmazonAddress


class AmazonOrder(Struct):
    orderId: str
    createdTime: str
    orderItems: list[AmazonItem]
    recipient: AmazonRecipient | None = None


class AmazonPage(Struct):
    orders: list[AmazonOrder]


class ShopifyBag(Struct):
    shopMoney: Amount


class ShopifyLine(Struct):
    id: str
    sku: str | None
    quantity: int
    originalUnitPriceSet: ShopifyBag
    parent: str = msgspec.field(name="__parentId", default="")


class ShopifyLines(Struct):
    nodes: list[ShopifyLine]


class ShopifyAddress(Struct):
    countryCodeV2: str | None = None


class ShopifyOrder(Struct):
    id: str
    processedAt: str
    shippingAddress: ShopifyAddress | None = None
    lineItems: ShopifyLines | None = None


class ShopifyOrders(Struct):
    nodes: list[ShopifyOrder]


class ShopifyData(Struct):
    orders: ShopifyOrders


class ShopifyPage(Struct):
    data: ShopifyData


class WalmartItem(Struct):
    sku: str


class WalmartAmount(Struct):
    amount: msgspec.Raw


class WalmartCharge(Struct):
    chargeAmount: WalmartAmount


class WalmartCharges(Struct):
    charge: list[WalmartCharge]


class WalmartLine(Struct):
    lineNumber: str
    item: WalmartItem
    orderLineQuantity: Amount
    charges: WalmartCharges


class WalmartLines(Struct):
    orderLine: list[WalmartLine]


class WalmartAddress(Struct):
    country: str


class WalmartShipping(Struct):
    postalAddress: WalmartAddress


class WalmartOrder(Struct):
    purchaseOrderId: str
    orderDate: int
    shippingInfo: WalmartShipping
    orderLines: WalmartLines


class WalmartElements(Struct):
    order: list[WalmartOrder]


class WalmartList(Struct):
    elements: WalmartElements


class WalmartPage(Struct):
    list: WalmartList


amazon = msgspec.json.Decoder(AmazonPage)
shopify = msgspec.json.Decoder(ShopifyPage)
shopify_heads = msgspec.json.Decoder(list[ShopifyOrder])
shopify_lines = msgspec.json.Decoder(list[ShopifyLine])
walmart = msgspec.json.Decoder(WalmartPage)
