DELETE FROM core.cart_items o
USING (SELECT DISTINCT cart_id FROM t_cart_items) n
WHERE o.cart_id = n.cart_id
  AND NOT EXISTS (SELECT FROM t_cart_items i WHERE i.cart_id = o.cart_id AND i.line_id = o.line_id)
