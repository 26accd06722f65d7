-- Orders as they were placed, by channel, day and currency: before cancellations of parts, discounts and refunds.
-- {channels}: of which channels.
placed AS (
    SELECT o.order_date AS date, o.channel_id, coalesce(o.currency, c.currency) AS currency, o.id,
           o.status = 'cancelled' AS is_cancelled, coalesce(o.shipping, 0) AS shipping, coalesce(o.tax, 0) AS tax,
           coalesce(sum(i.quantity), 0) AS units,
           coalesce(sum(
               coalesce(
                   i.net_amount + coalesce(i.discount, 0),
                   i.quantity * i.unit_price - CASE WHEN i.tax_included THEN coalesce(i.tax, 0) ELSE 0 END
               )
           ), 0) AS amount
    FROM core.orders o
    JOIN core.channels c ON c.id = o.channel_id
    LEFT JOIN core.order_items i ON i.order_id = o.id AND NOT i.is_gift_card
    WHERE o.order_date >= CAST(:first AS date) AND o.order_date < CAST(:after AS date) AND NOT o.is_test {channels}
    GROUP BY o.id, c.currency
),
ordered AS (
    SELECT date, channel_id, currency, count(*) AS orders_placed,
           count(*) FILTER (WHERE is_cancelled) AS orders_cancelled, sum(units)::bigint AS units_ordered,
           coalesce(sum(units) FILTER (WHERE is_cancelled), 0)::bigint AS units_cancelled,
           sum(amount) AS ordered_amount, coalesce(sum(amount) FILTER (WHERE is_cancelled), 0) AS cancelled_amount,
           coalesce(sum(shipping) FILTER (WHERE NOT is_cancelled), 0) AS shipping_amount,
           coalesce(sum(tax) FILTER (WHERE NOT is_cancelled), 0) AS tax_amount
    FROM placed
    GROUP BY 1, 2, 3
)
