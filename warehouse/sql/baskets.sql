-- Distinct products of every order that has any, gift cards and whatever was cancelled left out.
SELECT e.order_id, e.product_id
FROM core.sales_events e
WHERE e.product_id IS NOT NULL AND e.kind <> 'replacement'
  AND e.order_date > CAST(%(since)s AS date) AND e.order_date <= CAST(%(until)s AS date)
GROUP BY e.order_id, e.product_id
HAVING sum(e.units) > 0
