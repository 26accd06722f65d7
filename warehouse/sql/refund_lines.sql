-- Which line a refund is for, where the source names it by SKU and place ("MUG#1": the first line of that SKU in
-- the refund). Two refunds given apart both name the first: what is more than a line had goes to the next line of
-- its SKU that has units left. Lines of one SKU are counted in the order of their ids.
-- Reads `named` (id, order_id, line_id, quantity, refunded_at, refund_id) and `sold` (order_id, line_id, sku, room).
places AS (
    SELECT s.*, row_number() OVER sku AS place, count(*) OVER (PARTITION BY s.order_id, s.sku) AS places
    FROM sold s
    WINDOW sku AS (PARTITION BY s.order_id, s.sku ORDER BY s.line_id COLLATE "C")
),
asked AS (
    SELECT n.id, n.order_id, n.quantity, n.refunded_at, n.refund_id, p.line_id, p.sku,
           n.quantity = 0 OR p.room >= sum(n.quantity) OVER (
               PARTITION BY n.order_id, p.line_id ORDER BY n.refunded_at, n.refund_id, n.id
           ) AS fits
    FROM named n
    JOIN places p
      ON p.order_id = n.order_id AND p.sku = substring(n.line_id FROM '^(.*)#[0-9]+$')
     AND p.place = least(substring(n.line_id FROM '#([0-9]{1,9})$')::bigint, p.places)
),
room_left AS (
    SELECT p.order_id, p.sku, p.line_id, sum(f.room) OVER sku - f.room AS starts, sum(f.room) OVER sku AS ends
    FROM places p
    CROSS JOIN LATERAL (
        SELECT greatest(p.room - coalesce(sum(a.quantity), 0), 0) AS room
        FROM asked a
        WHERE a.order_id = p.order_id AND a.line_id = p.line_id AND a.fits
    ) f
    WINDOW sku AS (PARTITION BY p.order_id, p.sku ORDER BY p.line_id COLLATE "C")
),
spilled AS (
    SELECT a.id, a.order_id, a.sku, sum(a.quantity) OVER (
               PARTITION BY a.order_id, a.sku ORDER BY a.refunded_at, a.refund_id, a.id
           ) - a.quantity AS before
    FROM asked a
    WHERE NOT a.fits
),
placed AS (
    SELECT a.id, coalesce(r.line_id, a.line_id) AS line_id
    FROM asked a
    LEFT JOIN spilled s ON s.id = a.id
    LEFT JOIN room_left r
      ON r.order_id = s.order_id AND r.sku = s.sku AND s.before >= r.starts AND s.before < r.ends
)
