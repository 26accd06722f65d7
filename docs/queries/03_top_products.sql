-- Which products sell best now, and are they growing?
SELECT p.sku AS sku,
       p.name AS name,
       c.name AS channel,
       f.revenue_28d AS revenue_28d,
       f.units_28d AS units_28d,
       round(f.velocity_28d, 2) AS units_a_day,
       round(f.units_growth_28d, 2) AS growth,
       f.abc_class AS abc
FROM analytics.product_performance f
JOIN analytics.products p ON p.product_id = f.product_id
JOIN analytics.channels c ON c.channel_id = f.channel_id
ORDER BY f.revenue_28d DESC, sku, channel
LIMIT 20
