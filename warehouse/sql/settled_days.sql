-- Lines with a commission booked on each day, and what core has of them: units and price as sold, cancelled ones out.
WITH booked AS (
    SELECT DISTINCT f.posted_date AS date, f.order_external_id, f.line_id
    FROM core.fees f
    WHERE f.channel_id = %(channel)s AND f.posted_date BETWEEN %(first)s::date - 30 AND %(last)s::date + 30
      AND f.order_external_id IS NOT NULL AND f.amount > 0 AND f.fee_type ILIKE 'commission%%'
),
settled AS (
    SELECT b.*, count(*) OVER (PARTITION BY b.order_external_id, b.line_id) > 1 AS is_in_parts
    FROM booked b
)
SELECT s.date, count(DISTINCT o.id)::bigint AS orders,
       coalesce(sum(i.quantity - i.cancelled_quantity), 0)::bigint AS units,
       coalesce(sum(round(i.unit_price * (i.quantity - i.cancelled_quantity), 4)), 0)::numeric(18,4) AS gross_amount,
       bool_or(s.is_in_parts) AS is_in_parts
FROM settled s
LEFT JOIN core.orders o ON o.channel_id = %(channel)s AND o.external_id = s.order_external_id
LEFT JOIN core.order_items i ON i.order_id = o.id AND (s.line_id IS NULL OR i.line_id = s.line_id)
WHERE s.date BETWEEN %(first)s AND %(last)s
GROUP BY s.date
ORDER BY s.date
