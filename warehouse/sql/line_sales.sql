-- What each line of an order counts for, now. Grain: (order_id, line_id). {orders}, {items}: where they stand.
-- Test orders and gift cards count for nothing; of a replacement its units do, because they leave the stock, and no
-- money. In a cancelled order every unit is cancelled.
-- Where units were cancelled, money given back for them is no refund of a sale: refunds stop at what is left.
SELECT o.id AS order_id, i.line_id, i.product_id, o.channel_id, o.external_id, o.order_date, o.ordered_at,
       o.source_updated_at, c.timezone, coalesce(o.currency, c.currency) AS currency,
       CASE WHEN o.status = 'cancelled' THEN coalesce(o.cancelled_at, o.source_updated_at)
            ELSE o.source_updated_at END AS cancelled_at,
       o.is_replacement, v.units, v.net + v.discount AS gross, v.discount, v.net,
       k.units AS cancelled_units,
       CASE WHEN k.units = 0 THEN 0 ELSE round(v.net * k.units / v.units, 4) END AS cancelled_net,
       CASE WHEN k.units = 0 THEN 0 ELSE round(v.discount * k.units / v.units, 4) END AS cancelled_discount,
       CASE WHEN v.counts THEN i.refunded_quantity ELSE 0 END AS refunded_units,
       CASE WHEN v.counts THEN coalesce(i.refunded_amount, 0) ELSE 0 END AS refunded_amount,
       CASE WHEN v.counts THEN coalesce(i.refunded_net_amount, 0) ELSE 0 END AS refunded_net
FROM {orders} o
JOIN {items} i ON i.order_id = o.id
JOIN core.channels c ON c.id = o.channel_id
CROSS JOIN LATERAL (
    SELECT NOT (o.is_test OR i.is_gift_card) AS ships, NOT (o.is_test OR o.is_replacement OR i.is_gift_card) AS yes
) counted
CROSS JOIN LATERAL (
    SELECT counted.yes AS counts,
           CASE WHEN counted.ships THEN i.quantity ELSE 0 END AS units,
           CASE WHEN counted.yes THEN coalesce(i.discount, 0) ELSE 0 END AS discount,
           CASE
               WHEN NOT counted.yes THEN 0
               ELSE coalesce(
                   i.net_amount,
                   i.quantity * i.unit_price - coalesce(i.discount, 0)
                   - CASE WHEN i.tax_included THEN coalesce(i.tax, 0) ELSE 0 END,
                   0
               )
           END AS net
) v
CROSS JOIN LATERAL (
    SELECT CASE WHEN o.status = 'cancelled' THEN v.units ELSE least(i.cancelled_quantity, v.units) END AS units
) k
