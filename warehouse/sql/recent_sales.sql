-- Units a day that each product sold on each channel in [since, until); replacements are no demand.
SELECT c.name || '|' || p.sku AS series_id,
       sum(e.units)::double precision / (CAST(%(until)s AS date) - CAST(%(since)s AS date)) AS recent_daily
FROM core.sales_events e
JOIN core.channels c ON c.id = e.channel_id
JOIN core.products p ON p.id = e.product_id
WHERE e.order_date >= CAST(%(since)s AS date) AND e.order_date < CAST(%(until)s AS date)
  AND e.product_id = ANY(CAST(%(products)s AS bigint[])) AND e.kind <> 'replacement'
GROUP BY c.name, p.sku
HAVING sum(e.units) > 0
