SELECT date, channel_id, product_id, currency, count(*) FILTER (WHERE units > 0) AS num_orders
FROM (
    SELECT order_date AS date, channel_id, coalesce(product_id, 0) AS product_id, currency, order_id,
           sum(units) AS units
    FROM month
    GROUP BY 1, 2, 3, 4, 5
) o
GROUP BY 1, 2, 3, 4
