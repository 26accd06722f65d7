-- What the recorded events did to which day. Orders are counted by adding up one group each: no sort of all events.
INSERT INTO t_moved (channel_id, order_date, happened_date, currency, kind, events, orders, units, revenue)
SELECT channel_id, order_date, happened_date, currency, kind, sum(events), count(*), sum(units), sum(revenue)
FROM (
    SELECT channel_id, order_date, happened_date, currency, kind, order_id, count(*) AS events, sum(units) AS units,
           sum(net_amount - refunded_net_amount) AS revenue
    FROM recorded_now
    GROUP BY channel_id, order_date, happened_date, currency, kind, order_id
) by_order
GROUP BY channel_id, order_date, happened_date, currency, kind
