-- How do the channels compare, month by month: orders, order value, share of orders cancelled?
SELECT toStartOfMonth(s.date) AS month,
       c.name AS channel,
       s.currency AS currency,
       sum(s.num_orders) AS orders,
       sum(s.total_revenue) AS revenue,
       round(toFloat64(sum(s.total_revenue)) / nullIf(sum(s.num_orders), 0), 2) AS order_value,
       round(sum(s.orders_cancelled) / sum(s.orders_placed), 4) AS cancelled_share
FROM analytics.daily_channel_sales s
JOIN analytics.channels c ON c.channel_id = s.channel_id
GROUP BY month, channel, currency
ORDER BY month DESC, channel, currency
