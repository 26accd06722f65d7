SELECT c.name AS channel, t.channel_id, t.order_date AS date, t.currency, t.orders, t.units, t.revenue, t.refunded
FROM (
    SELECT channel_id, order_date, currency, count(*) FILTER (WHERE units > 0) AS orders, sum(units)::bigint AS units,
           sum(revenue) AS revenue, sum(refunded) AS refunded
    FROM (
        SELECT channel_id, order_date, currency, order_id, sum(units) AS units,
               sum(net_amount - refunded_net_amount) AS revenue, sum(refunded_amount) AS refunded
        FROM core.sales_events
        GROUP BY 1, 2, 3, 4
    ) o
    GROUP BY 1, 2, 3
) t
JOIN core.channels c ON c.id = t.channel_id
ORDER BY c.name, t.order_date, t.currency
