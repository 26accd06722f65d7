-- Which line a refund is for, where the source names it by SKU and place ("MUG#1": the first line of that SKU).
-- Lines of one SKU are counted in the order of their ids. {which}: of which orders.
WITH refunded AS (
    SELECT r.id, o.id AS order_id, r.line_id
    FROM core.orders o
    JOIN core.refunds r ON r.channel_id = o.channel_id AND r.order_external_id = o.external_id
    WHERE {which} AND strpos(r.line_id, '#') > 0
),
places AS (
    SELECT i.order_id, i.line_id,
           coalesce(i.sku, 'asin:' || i.external_id, '?') || '#' || row_number() OVER (
               PARTITION BY i.order_id, coalesce(i.sku, 'asin:' || i.external_id, '?') ORDER BY i.line_id COLLATE "C"
           ) AS place
    FROM core.order_items i
    WHERE i.order_id IN (SELECT order_id FROM refunded)
),
resolved AS (
    SELECT r.id, coalesce(i.line_id, p.line_id, r.line_id) AS line_id
    FROM refunded r
    LEFT JOIN core.order_items i ON i.order_id = r.order_id AND i.line_id = r.line_id
    LEFT JOIN places p ON p.order_id = r.order_id AND p.place = r.line_id
)
UPDATE core.refunds r
SET order_line_id = s.line_id
FROM resolved s
WHERE r.id = s.id AND r.order_line_id <> s.line_id
