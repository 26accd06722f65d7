-- Ids were given above, under the channel's lock; a conflict with another id means somebody wrote past it.
INSERT INTO core.orders AS o (
    id, channel_id, external_id, order_number, ordered_at, order_date, source_updated_at, customer_key, status,
    fulfillment_status, fulfilled_by, currency, subtotal, discount, shipping, tax, total, refunded,
    ship_country, ship_region, is_replacement, is_test, cancelled_at, ship_by_at, deliver_by_at, shipped_at,
    delivered_at, run_id
)
OVERRIDING SYSTEM VALUE
SELECT order_id, channel_id, external_id, order_number, ordered_at, order_date, source_updated_at,
       customer_key, status, fulfillment_status, fulfilled_by, currency, subtotal, discount, shipping, tax,
       total, refunded, ship_country, ship_region, is_replacement, is_test, cancelled_at, ship_by_at,
       deliver_by_at, shipped_at, delivered_at, :run_id
FROM t_orders
WHERE action IN ('new', 'changed')
ORDER BY order_id
ON CONFLICT (channel_id, external_id) DO UPDATE SET
    order_number = EXCLUDED.order_number, ordered_at = EXCLUDED.ordered_at, order_date = EXCLUDED.order_date,
    source_updated_at = EXCLUDED.source_updated_at, customer_key = EXCLUDED.customer_key,
    status = EXCLUDED.status, fulfillment_status = EXCLUDED.fulfillment_status,
    fulfilled_by = EXCLUDED.fulfilled_by, currency = EXCLUDED.currency, subtotal = EXCLUDED.subtotal,
    discount = EXCLUDED.discount, shipping = EXCLUDED.shipping, tax = EXCLUDED.tax, total = EXCLUDED.total,
    refunded = EXCLUDED.refunded, ship_country = EXCLUDED.ship_country, ship_region = EXCLUDED.ship_region,
    is_replacement = EXCLUDED.is_replacement, is_test = EXCLUDED.is_test,
    cancelled_at = EXCLUDED.cancelled_at, ship_by_at = EXCLUDED.ship_by_at,
    deliver_by_at = EXCLUDED.deliver_by_at, shipped_at = EXCLUDED.shipped_at,
    delivered_at = EXCLUDED.delivered_at, run_id = EXCLUDED.run_id
WHERE o.id = EXCLUDED.id AND EXCLUDED.source_updated_at >= o.source_updated_at
