-- What the recorded events did to which day.
INSERT INTO t_moved (channel_id, order_date, happened_date, currency, kind, events, orders, units, revenue)
SELECT channel_id, order_date, happened_date, currency, kind, count(*), count(DISTINCT order_id), sum(units),
       sum(net_amount - refunded_net_amount)
FROM recorded_now
GROUP BY channel_id, order_date, happened_date, currency, kind
