INSERT INTO core.cart_items AS k (cart_id, line_id, product_id, sku, external_id, title, quantity, total)
SELECT n.cart_id, n.line_id, n.product_id, n.sku, n.external_id, n.title, n.quantity, n.total
FROM t_cart_items n
LEFT JOIN core.cart_items o ON o.cart_id = n.cart_id AND o.line_id = n.line_id
WHERE (o.product_id, o.sku, o.external_id, o.title, o.quantity, o.total)
      IS DISTINCT FROM (n.product_id, n.sku, n.external_id, n.title, n.quantity, n.total)
   OR o.cart_id IS NULL
ON CONFLICT (cart_id, line_id) DO UPDATE SET
    product_id = EXCLUDED.product_id, sku = EXCLUDED.sku, external_id = EXCLUDED.external_id,
    title = EXCLUDED.title, quantity = EXCLUDED.quantity, total = EXCLUDED.total
RETURNING (xmax = 0) AS inserted
