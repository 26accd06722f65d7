-- An order counts once a day and product, however many of its lines were refunded.
WITH per_order AS (
    SELECT happened_date AS date, channel_id, coalesce(product_id, 0) AS product_id, currency, order_id,
           min(happened_date - order_date) AS days, sum(refunded_units) AS units, sum(refunded_amount) AS amount,
           sum(refunded_net_amount) AS net
    FROM core.sales_events
    WHERE happened_date >= CAST(:first AS date) AND happened_date < CAST(:after AS date)
      AND (refunded_units <> 0 OR refunded_amount <> 0 OR refunded_net_amount <> 0)
    GROUP BY 1, 2, 3, 4, 5
)
SELECT date, channel_id, product_id, currency, sum(units)::bigint AS refunded_units, sum(amount) AS refunded_amount,
       sum(net) AS refunded_net_amount, count(*) AS num_orders, avg(days)::double precision AS avg_days_to_refund
FROM per_order
WHERE units <> 0 OR amount <> 0 OR net <> 0
GROUP BY 1, 2, 3, 4
ORDER BY 3, 2, 1, 4
