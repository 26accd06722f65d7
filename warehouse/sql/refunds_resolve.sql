-- Refunds of known orders onto their lines. {which}: of which orders; {refund_lines}: how a place is understood.
WITH named AS (
    SELECT r.id, o.id AS order_id, r.line_id, r.quantity, r.refunded_at, r.refund_id
    FROM core.orders o
    JOIN core.refunds r ON r.channel_id = o.channel_id AND r.order_external_id = o.external_id
    WHERE {which} AND strpos(r.line_id, '#') > 0
      AND NOT EXISTS (SELECT FROM core.order_items i WHERE i.order_id = o.id AND i.line_id = r.line_id)
),
sold AS (
    SELECT i.order_id, i.line_id, coalesce(i.sku, 'asin:' || i.external_id, '?') AS sku,
           i.quantity - i.cancelled_quantity AS room
    FROM core.order_items i
    WHERE i.order_id IN (SELECT order_id FROM named)
),
{refund_lines}
UPDATE core.refunds r
SET order_line_id = s.line_id
FROM placed s
WHERE r.id = s.id AND r.order_line_id <> s.line_id
