-- Events of a span, and the purchases of the day after it.
SELECT e.kind, e.happened_at, e.session_key, e.sku, coalesce(p.id, 0) AS product_id, e.quantity,
       e.price, e.currency
FROM core.cart_events e
LEFT JOIN core.products p ON p.sku = e.sku
WHERE e.happened_at >= CAST(%(since)s AS timestamptz)
  AND (e.happened_at < CAST(%(until)s AS timestamptz)
       OR e.kind = 'purchase' AND e.happened_at < CAST(%(until)s AS timestamptz) + interval '1 day')
