-- An order's version brings all its lines: what it no longer names is gone. An order staged without any line
-- says nothing about its lines.
WITH gone AS (
    DELETE FROM core.order_items o
    USING t_orders n
    WHERE o.order_id = n.order_id AND n.action IN ('changed', 'same')
      AND EXISTS (SELECT FROM t_items i WHERE i.order_id = o.order_id)
      AND NOT EXISTS (SELECT FROM t_items i WHERE i.order_id = o.order_id AND i.line_id = o.line_id)
    RETURNING o.order_id
)
INSERT INTO t_vanished SELECT order_id FROM gone
