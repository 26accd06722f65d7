-- Lines of orders inserted by this transaction cannot be there yet: looking for them would cost a third more.
INSERT INTO core.order_items (
    order_id, line_id, product_id, sku, external_id, title, quantity, cancelled_quantity, refunded_quantity,
    unit_price, discount, tax, total, refunded_amount, net_amount, refunded_net_amount,
    stated_refunded_quantity, stated_refunded_amount, stated_refunded_net_amount, tax_included, is_gift_card
)
SELECT order_id, line_id, product_id, sku, external_id, title, quantity, cancelled_quantity, refunded_quantity,
       unit_price, discount, tax, total, refunded_amount, net_amount, refunded_net_amount,
       stated_refunded_quantity, stated_refunded_amount, stated_refunded_net_amount, tax_included, is_gift_card
FROM t_items
WHERE is_new
