-- Products that were ever sold, those that sold most in the last 90 days first.
SELECT e.product_id, p.sku, p.category, count(DISTINCT e.channel_id) AS series,
       coalesce(sum(e.units) FILTER (WHERE e.order_date >= CAST(%(until)s AS date) - 90), 0)::bigint AS units
FROM core.sales_events e
JOIN core.products p ON p.id = e.product_id
JOIN core.channels c ON c.id = e.channel_id
WHERE e.order_date < CAST(%(until)s AS date) AND e.kind <> 'replacement'
  AND (CAST(%(skus)s AS text[]) IS NULL OR p.sku = ANY(CAST(%(skus)s AS text[])))
  AND (CAST(%(channels)s AS text[]) IS NULL OR c.name = ANY(CAST(%(channels)s AS text[])))
GROUP BY 1, 2, 3
HAVING max(e.units) > 0
ORDER BY 5 DESC, 1
