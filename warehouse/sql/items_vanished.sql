-- An order's version brings all its lines: what it no longer names is gone. An order staged without any line
-- says nothing about its lines.
DELETE FROM core.order_items o
USING (SELECT DISTINCT order_id FROM t_items) n
WHERE o.order_id = n.order_id
  AND NOT EXISTS (SELECT FROM t_items i WHERE i.order_id = o.order_id AND i.line_id = o.line_id)
RETURNING o.order_id
