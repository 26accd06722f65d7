-- Where do we ship to, over the last 365 days of sales?
SELECT ship_country AS country,
       ship_region AS region,
       currency,
       sum(num_orders) AS orders,
       sum(total_revenue) AS revenue
FROM analytics.daily_region_sales
WHERE date > (SELECT max(date) - 365 FROM analytics.daily_region_sales)
GROUP BY country, region, currency
ORDER BY revenue DESC, country, region
LIMIT 50
