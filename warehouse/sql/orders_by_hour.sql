-- Orders since a day of the channels that tell of checkouts, by hour of the channel's time zone and customer.
SELECT o.channel_id, coalesce(o.currency, c.currency) AS currency,
       extract(hour FROM o.ordered_at AT TIME ZONE c.timezone)::bigint AS hour, o.customer_key, count(*) AS orders
FROM core.orders o
JOIN core.channels c ON c.id = o.channel_id
WHERE o.order_date >= CAST(%(since)s AS date) AND o.order_date <= CAST(%(until)s AS date)
  AND o.status <> 'cancelled' AND NOT o.is_test AND NOT o.is_replacement
  AND EXISTS (SELECT FROM core.carts k WHERE k.channel_id = o.channel_id)
GROUP BY 1, 2, 3, 4
