-- Days from order to sending by SKU of one channel, of what was sent in [since, until) and in the weeks before
-- ([usual_since, since)): counted by the day of sending, so that what still waits biases neither.
SELECT coalesce(p.sku, i.sku, '') AS sku,
       count(*) FILTER (WHERE o.shipped_at >= %(since)s) AS sent,
       count(*) FILTER (WHERE o.shipped_at < %(since)s) AS sent_before,
       (avg(extract(epoch FROM o.shipped_at - o.ordered_at)) FILTER (WHERE o.shipped_at >= %(since)s) / 86400)::float8
           AS days,
       (avg(extract(epoch FROM o.shipped_at - o.ordered_at)) FILTER (WHERE o.shipped_at < %(since)s) / 86400)::float8
           AS days_before
FROM core.orders o
JOIN core.channels c ON c.id = o.channel_id
JOIN core.order_items i ON i.order_id = o.id
LEFT JOIN core.products p ON p.id = i.product_id
WHERE c.name = %(channel)s AND o.status <> 'cancelled' AND NOT o.is_test
  AND o.shipped_at >= %(usual_since)s AND o.shipped_at < %(until)s
  -- What was sent then was ordered not long before: the days let PostgreSQL pass over the rest of the history.
  AND o.order_date >= %(ordered_since)s
GROUP BY 1
