-- What runs out first, and what has been out of stock lately?
SELECT p.sku AS sku,
       c.name AS channel,
       h.quantity_available AS available,
       h.quantity_inbound AS inbound,
       round(h.velocity, 2) AS units_a_day,
       round(h.days_of_cover, 1) AS days_of_cover,
       h.stockout_days_28d AS stockout_days,
       round(h.sell_through, 2) AS sell_through
FROM analytics.inventory_health h
JOIN analytics.products p ON p.product_id = h.product_id
JOIN analytics.channels c ON c.channel_id = h.channel_id
ORDER BY h.days_of_cover ASC NULLS LAST, sku, channel
LIMIT 50
