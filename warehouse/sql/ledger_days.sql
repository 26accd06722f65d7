-- What the recorded events did to which day. Of days that were published the journal wants the number of orders: they
-- are counted by adding up one group each, no sort of all events. Of others it is not asked for.
INSERT INTO t_moved (
    channel_id, order_date, happened_date, currency, kind, was_published, events, orders, units, revenue
)
SELECT channel_id, order_date, happened_date, currency, kind, was_published, sum(events), count(order_id), sum(units),
       sum(revenue)
FROM (
    SELECT r.channel_id, r.order_date, r.happened_date, r.currency, r.kind, p.day IS NOT NULL AS was_published,
           CASE WHEN p.day IS NOT NULL THEN r.order_id END AS order_id, count(*) AS events, sum(r.units) AS units,
           sum(r.net_amount - r.refunded_net_amount) AS revenue
    FROM recorded_now r
    LEFT JOIN ops.published_days p ON p.channel_id = r.channel_id AND p.day = r.order_date
    GROUP BY 1, 2, 3, 4, 5, 6, 7
) by_order
GROUP BY channel_id, order_date, happened_date, currency, kind, was_published
