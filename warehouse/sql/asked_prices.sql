-- Price of a unit before discounts on days with a sale; replacements ask nothing.
SELECT c.name || '|' || p.sku AS series_id, e.order_date AS date,
       (sum(e.gross_amount) / sum(e.units))::double precision AS asked
FROM core.sales_events e
JOIN core.channels c ON c.id = e.channel_id
JOIN core.products p ON p.id = e.product_id
WHERE e.order_date >= CAST(%(since)s AS date) AND e.product_id = ANY(CAST(%(products)s AS bigint[]))
  AND e.kind <> 'replacement'
GROUP BY c.name, p.sku, e.order_date
HAVING sum(e.units) > 0 AND sum(e.gross_amount) > 0
