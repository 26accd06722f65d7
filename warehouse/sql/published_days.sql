INSERT INTO ops.published_days (channel_id, day, published_at, units, revenue)
SELECT channel_id, order_date, transaction_timestamp(), sum(units), sum(net_amount - refunded_net_amount)
FROM core.sales_events
WHERE order_date >= :first AND order_date < :after AND channel_id <> ALL (CAST(:held AS bigint[]))
GROUP BY 1, 2
ON CONFLICT (channel_id, day) DO UPDATE SET
    published_at = EXCLUDED.published_at, units = EXCLUDED.units, revenue = EXCLUDED.revenue
