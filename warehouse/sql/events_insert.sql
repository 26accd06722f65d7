INSERT INTO core.sales_events (
    order_id, line_id, channel_id, product_id, kind, reference, happened_at, happened_date, order_date, currency,
    units, gross_amount, discount_amount, net_amount, refunded_units, refunded_amount, refunded_net_amount,
    run_id, recorded_at
)
SELECT order_id, line_id, channel_id, product_id, kind, reference, happened_at, happened_date, order_date,
       currency, units, gross, discount, net, refunded_units, refunded_amount, refunded_net, :run_id,
       transaction_timestamp()
FROM t_events
ORDER BY order_date, order_id
