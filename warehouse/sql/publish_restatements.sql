SELECT order_date, channel_id, currency, kind, orders, units_delta, revenue_delta, recorded_at,
       coalesce(run_id, 0) AS run_id
FROM core.restatements
ORDER BY order_date, channel_id, recorded_at
