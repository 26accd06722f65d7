-- Everything buyers said, under the merchant's SKU where the product is known.
SELECT coalesce(f.product_id, 0) AS product_id, coalesce(p.sku, f.sku, '') AS sku, f.posted_at, f.posted_date,
       f.rating::bigint AS rating, f.text
FROM core.feedback f
LEFT JOIN core.products p ON p.id = f.product_id
WHERE f.posted_date <= CAST(%(until)s AS date)
