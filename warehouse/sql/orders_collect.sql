-- {distinct} and {order} pick one version where an order was staged more than once.
-- The newest staged version of each order beside what core has, and what to do about it.
CREATE TEMP TABLE t_orders ON COMMIT DROP AS
WITH newest AS (
    SELECT {distinct} s.*
    FROM staging."{load}__orders" s
    {order}
)
SELECT coalesce(o.id, nextval('core.orders_id_seq')) AS order_id,
       c.id AS channel_id, n.channel, n.external_id, n.seq, n.order_number, n.ordered_at,
       (n.ordered_at AT TIME ZONE c.timezone)::date AS order_date, n.source_updated_at, n.customer_key, n.status,
       n.fulfillment_status, n.fulfilled_by, coalesce(n.currency, c.currency) AS currency, n.subtotal,
       n.discount, n.shipping, n.tax, n.total, n.refunded, n.ship_country, n.ship_region,
       coalesce(n.is_replacement, false) AS is_replacement, coalesce(n.is_test, false) AS is_test,
       n.cancelled_at,
       -- A report or a file of the same order that does not tell these instants does not take them back.
       coalesce(n.ship_by_at, o.ship_by_at) AS ship_by_at, coalesce(n.deliver_by_at, o.deliver_by_at) AS deliver_by_at,
       coalesce(n.shipped_at, o.shipped_at) AS shipped_at, coalesce(n.delivered_at, o.delivered_at) AS delivered_at,
       CASE
           WHEN o.id IS NULL THEN 'new'
           WHEN n.source_updated_at < o.source_updated_at THEN 'older'
           WHEN (o.order_number, o.ordered_at, o.order_date, o.source_updated_at, o.customer_key, o.status,
                 o.fulfillment_status, o.fulfilled_by, o.currency, o.subtotal, o.discount, o.shipping, o.tax,
                 o.total, o.refunded, o.ship_country, o.ship_region, o.is_replacement, o.is_test,
                 o.cancelled_at, o.ship_by_at, o.deliver_by_at, o.shipped_at, o.delivered_at)
                IS DISTINCT FROM
                (n.order_number, n.ordered_at, (n.ordered_at AT TIME ZONE c.timezone)::date,
                 n.source_updated_at, n.customer_key, n.status, n.fulfillment_status, n.fulfilled_by,
                 coalesce(n.currency, c.currency), n.subtotal, n.discount, n.shipping, n.tax, n.total,
                 n.refunded, n.ship_country, n.ship_region, coalesce(n.is_replacement, false),
                 coalesce(n.is_test, false), n.cancelled_at, coalesce(n.ship_by_at, o.ship_by_at),
                 coalesce(n.deliver_by_at, o.deliver_by_at), coalesce(n.shipped_at, o.shipped_at),
                 coalesce(n.delivered_at, o.delivered_at))
           THEN 'changed'
           ELSE 'same'
       END AS action,
       o.order_date AS known_date,
       -- Whether the order counts otherwise than before on its day, lines apart: those are the ledger's.
       (o.status, o.order_date, o.currency, o.shipping, o.tax, o.ship_country, o.ship_region, o.is_replacement,
        o.is_test)
       IS DISTINCT FROM
       (n.status, (n.ordered_at AT TIME ZONE c.timezone)::date, coalesce(n.currency, c.currency), n.shipping, n.tax,
        n.ship_country, n.ship_region, coalesce(n.is_replacement, false), coalesce(n.is_test, false)) AS moves_day
FROM newest n
JOIN core.channels c ON c.name = n.channel
LEFT JOIN core.orders o ON o.channel_id = c.id AND o.external_id = n.external_id
