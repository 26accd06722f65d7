-- Days that had been published and move now. Today still grows, so it is not restated.
INSERT INTO core.restatements (
    run_id, channel_id, order_date, currency, kind, events, orders, units_delta, revenue_delta, recorded_at
)
SELECT :run_id, e.channel_id, e.order_date, e.currency, e.kind, sum(e.events), sum(e.orders), sum(e.units),
       sum(e.revenue), transaction_timestamp()
FROM t_moved e
JOIN core.channels c ON c.id = e.channel_id
WHERE e.was_published AND e.order_date < (transaction_timestamp() AT TIME ZONE c.timezone)::date
GROUP BY e.channel_id, e.order_date, e.currency, e.kind
