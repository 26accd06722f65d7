-- Orders and what they earned of one channel by category, region and SKU, placed in [since, until).
-- An order of several lines counts in parts, so that parts add up to orders. Replacements, tests and orders
-- cancelled as a whole are left out.
WITH placed AS (
    SELECT c.name AS channel, concat_ws('-', o.ship_country, o.ship_region) AS region,
           count(*) OVER (PARTITION BY o.id) AS lines,
           coalesce(p.category, '') AS category, coalesce(p.sku, i.sku, '') AS sku,
           i.quantity - i.cancelled_quantity AS units,
           coalesce(i.net_amount, i.quantity * i.unit_price - coalesce(i.discount, 0), 0) AS net_amount
    FROM core.orders o
    JOIN core.channels c ON c.id = o.channel_id
    JOIN core.order_items i ON i.order_id = o.id
    LEFT JOIN core.products p ON p.id = i.product_id
    WHERE o.ordered_at >= %(since)s AND o.ordered_at < %(until)s
      AND NOT o.is_replacement AND NOT o.is_test AND o.status <> 'cancelled'
      AND c.name = %(channel)s
)
SELECT channel, category, region, sku, sum(1.0 / lines)::float8 AS orders,
       sum(net_amount)::float8 AS revenue, sum(units)::float8 AS units
FROM placed
GROUP BY 1, 2, 3, 4
