SELECT id AS product_id, sku, name, category, brand, cost_price, cost_currency, is_stub, created_at, updated_at
FROM core.products
UNION ALL
SELECT 0, '', '(no product)', NULL, NULL, NULL, NULL, true, 'epoch'::timestamptz, 'epoch'::timestamptz
ORDER BY 1
