-- What did we earn each day, all channels together, and is anything held for want of an exchange rate?
SELECT date,
       any(reporting_currency) AS currency,
       sum(total_revenue) AS revenue,
       sum(total_units) AS units,
       countIf(coalesce(rate, 0) = 0) AS rows_held
FROM analytics.daily_sales_reporting
WHERE date > (SELECT max(date) - 28 FROM analytics.daily_sales_reporting)
GROUP BY date
ORDER BY date DESC
