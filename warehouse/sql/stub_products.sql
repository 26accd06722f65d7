-- Sorted, so that two merges that need the same new SKUs wait for each other instead of deadlocking.
INSERT INTO core.products (sku)
SELECT DISTINCT l.wanted
FROM t_listings l
WHERE l.wanted IS NOT NULL AND NOT EXISTS (SELECT FROM core.products p WHERE p.sku = l.wanted)
ORDER BY 1
ON CONFLICT (sku) DO NOTHING
