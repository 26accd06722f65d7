-- Spans of business days in one state, by place. A change holds from the source's own instant where that moved
-- on, else from when we saw it; the state of the last change holds up to today.
WITH dated AS (
    SELECT h.product_id, h.channel_id, h.warehouse_location, h.quantity_available, h.id, c.timezone,
           CASE
               WHEN h.source_updated_at > lag(h.source_updated_at) OVER place
                 OR (lag(h.id) OVER place IS NULL AND h.source_updated_at IS NOT NULL)
               THEN least(h.source_updated_at, h.observed_at)
               ELSE h.observed_at
           END AS held_from
    FROM core.inventory_history h
    JOIN core.channels c ON c.id = h.channel_id
    WHERE CAST(%(products)s AS bigint[]) IS NULL OR h.product_id = ANY(CAST(%(products)s AS bigint[]))
    WINDOW place AS (PARTITION BY h.product_id, h.channel_id, h.warehouse_location ORDER BY h.observed_at, h.id)
),
spans AS (
    SELECT d.*, lead(d.held_from) OVER place AS held_until,
           (min(d.held_from) OVER series AT TIME ZONE d.timezone)::date AS known_from
    FROM dated d
    WINDOW place AS (PARTITION BY d.product_id, d.channel_id, d.warehouse_location ORDER BY d.id),
           series AS (PARTITION BY d.product_id, d.channel_id)
),
ends AS (
    SELECT channel_id, max(observed_at) AS observed_at FROM ops.observations GROUP BY 1
)
SELECT s.product_id, s.channel_id, s.known_from, (s.held_from AT TIME ZONE s.timezone)::date AS first_date,
       (greatest(coalesce(s.held_until, e.observed_at, s.held_from), s.held_from) AT TIME ZONE s.timezone)::date
           AS last_date,
       s.quantity_available > 0 AS has_stock
FROM spans s
LEFT JOIN ends e ON e.channel_id = s.channel_id
