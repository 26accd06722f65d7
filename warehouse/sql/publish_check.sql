-- Only days with something to show: the published tables have no rows for days that came to nothing.
SELECT channel_id, {day} AS date, currency, sum(units)::bigint AS units,
       sum(net_amount - refunded_net_amount) AS revenue
FROM core.sales_events
GROUP BY 1, 2, 3
HAVING sum(units) <> 0 OR sum(net_amount - refunded_net_amount) <> 0
