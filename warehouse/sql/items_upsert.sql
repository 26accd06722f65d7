INSERT INTO core.order_items (
    order_id, line_id, product_id, sku, external_id, title, quantity, cancelled_quantity, refunded_quantity,
    unit_price, discount, tax, total, refunded_amount, net_amount, refunded_net_amount,
    stated_refunded_quantity, stated_refunded_amount, stated_refunded_net_amount, tax_included, is_gift_card
)
SELECT order_id, line_id, product_id, sku, external_id, title, quantity, cancelled_quantity, refunded_quantity,
       unit_price, discount, tax, total, refunded_amount, net_amount, refunded_net_amount,
       stated_refunded_quantity, stated_refunded_amount, stated_refunded_net_amount, tax_included, is_gift_card
FROM t_items
WHERE action IN ('new', 'changed') AND NOT is_new
ON CONFLICT (order_id, line_id) DO UPDATE SET
    product_id = EXCLUDED.product_id, sku = EXCLUDED.sku, external_id = EXCLUDED.external_id,
    title = EXCLUDED.title, quantity = EXCLUDED.quantity, cancelled_quantity = EXCLUDED.cancelled_quantity,
    refunded_quantity = EXCLUDED.refunded_quantity, unit_price = EXCLUDED.unit_price,
    discount = EXCLUDED.discount, tax = EXCLUDED.tax, total = EXCLUDED.total,
    refunded_amount = EXCLUDED.refunded_amount, net_amount = EXCLUDED.net_amount,
    refunded_net_amount = EXCLUDED.refunded_net_amount,
    stated_refunded_quantity = EXCLUDED.stated_refunded_quantity,
    stated_refunded_amount = EXCLUDED.stated_refunded_amount,
    stated_refunded_net_amount = EXCLUDED.stated_refunded_net_amount,
    tax_included = EXCLUDED.tax_included, is_gift_card = EXCLUDED.is_gift_card
