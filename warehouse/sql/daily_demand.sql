-- Units and net price per series and day sold (replacements are no demand); a series without a sale in the span comes once, without a day.
-- Joins of the large parts are window functions here: their sizes cannot be known to the planner.
WITH ends AS MATERIALIZED (
    -- The last whole day we have read of each channel's orders; for channels read without a window, the last
    -- day with an order.
    SELECT c.id AS channel_id,
           coalesce(
               (s.observed_at AT TIME ZONE c.timezone)::date - 1,
               (SELECT max(e.order_date) FROM core.sales_events e WHERE e.channel_id = c.id)
           ) AS last_date
    FROM core.channels c
    LEFT JOIN ops.observations s ON s.channel_id = c.id AND s.resource = 'orders'
),
sold AS (
    SELECT e.channel_id, e.product_id, e.order_date, sum(e.units)::bigint AS units,
           CASE WHEN sum(e.units) > 0 THEN sum(e.net_amount) / sum(e.units) END AS net_price
    FROM core.sales_events e
    WHERE e.product_id IS NOT NULL AND e.kind <> 'replacement'
      AND (CAST(%(products)s AS bigint[]) IS NULL OR e.product_id = ANY(CAST(%(products)s AS bigint[])))
    GROUP BY 1, 2, 3
),
born AS (
    SELECT s.*,
           min(s.order_date) FILTER (WHERE s.units > 0) OVER series AS born_date,
           row_number() OVER (series ORDER BY s.order_date DESC) AS place
    FROM sold s
    WINDOW series AS (PARTITION BY s.channel_id, s.product_id)
),
bounded AS (
    SELECT b.*, greatest(b.born_date, CAST(%(since)s AS date)) AS first_date,
           least(e.last_date, CAST(%(until)s AS date) - 1) AS last_date
    FROM born b
    JOIN ends e ON e.channel_id = b.channel_id
    WHERE b.born_date IS NOT NULL
),
within AS (
    SELECT b.*, b.order_date BETWEEN b.first_date AND b.last_date AS is_within
    FROM bounded b
    WHERE b.first_date <= b.last_date
)
SELECT c.name AS channel, p.sku, p.category, w.product_id, w.channel_id,
       CASE WHEN w.is_within THEN w.order_date END AS date,
       w.first_date, w.last_date, CASE WHEN w.is_within THEN w.units ELSE 0 END AS units,
       CASE WHEN w.is_within THEN w.net_price END AS net_price
FROM within w
JOIN core.channels c ON c.id = w.channel_id
JOIN core.products p ON p.id = w.product_id
WHERE w.is_within OR w.place = 1
ORDER BY c.name, p.sku, 6
