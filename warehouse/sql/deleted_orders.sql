SELECT c.name AS channel, o.external_id, o.order_number, o.ordered_at, %(at)s::timestamptz AS source_updated_at,
    o.customer_key, 'cancelled' AS status, 'DELETED' AS fulfillment_status, o.fulfilled_by, o.currency, o.subtotal,
    o.discount, o.shipping, o.tax, o.total, o.refunded, o.ship_country, o.ship_region, o.is_replacement, o.is_test,
    %(at)s::timestamptz AS cancelled_at, o.ship_by_at, o.deliver_by_at, o.shipped_at, o.delivered_at
FROM core.orders o
JOIN core.channels c ON c.id = o.channel_id
WHERE c.name = %(channel)s AND o.external_id = ANY(%(ids)s)
