-- What came back, by the month it came back, and how long after the order?
SELECT toStartOfMonth(date) AS month,
       currency,
       sum(refunded_units) AS units,
       sum(refunded_amount) AS amount,
       round(sum(avg_days_to_refund * num_orders) / sum(num_orders), 1) AS days_after_order
FROM analytics.daily_refunds
GROUP BY month, currency
ORDER BY month DESC, currency
