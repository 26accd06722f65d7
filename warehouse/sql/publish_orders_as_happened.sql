SELECT date, channel_id, product_id, currency,
       sum((units_after > 0)::int - (units_after - units > 0)::int) AS num_orders
FROM (
    SELECT d.date, d.channel_id, d.product_id, d.currency, d.units,
           sum(d.units) OVER (
               PARTITION BY d.order_id, d.product_id, d.currency, d.order_date ORDER BY d.date
           ) AS units_after
    FROM (
        SELECT e.happened_date AS date, e.channel_id, coalesce(e.product_id, 0) AS product_id, e.currency,
               e.order_id, e.order_date, sum(e.units) AS units
        FROM core.sales_events e
        WHERE e.order_id IN (SELECT order_id FROM month) AND e.happened_date < CAST(:after AS date)
        GROUP BY 1, 2, 3, 4, 5, 6
    ) d
) k
WHERE date >= CAST(:first AS date)
GROUP BY 1, 2, 3, 4
