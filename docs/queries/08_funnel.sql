-- How many checkouts become orders, and what stays in abandoned carts?
SELECT toStartOfMonth(f.date) AS month,
       c.name AS channel,
       f.currency AS currency,
       sum(f.num_orders) AS orders,
       sum(f.abandoned_checkouts) AS abandoned,
       sum(f.recovered_checkouts) AS recovered,
       sum(f.abandoned_amount) AS abandoned_amount,
       round(sum(f.num_orders) / nullIf(sum(f.num_orders) + sum(f.abandoned_checkouts), 0), 4) AS completion_rate
FROM analytics.daily_funnel f
JOIN analytics.channels c ON c.channel_id = f.channel_id
GROUP BY month, channel, currency
ORDER BY month DESC, channel, currency
