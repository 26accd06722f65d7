-- How orders of whole weeks in [since, until) were sent and delivered, by channel and place, as of {as_of}.
-- Orders cancelled as a whole and tests are left out; replacements are sent like others. What is not yet due is neither
-- on time nor late, and nothing is said of what is not told: that counts as unknown.
WITH sent AS (
    SELECT o.channel_id, date_trunc('week', o.order_date)::date AS week,
           coalesce(o.ship_country, '') AS ship_country, coalesce(o.ship_region, '') AS ship_region,
           coalesce(o.fulfilled_by, '') AS fulfilled_by,
           extract(epoch FROM o.shipped_at - o.ordered_at) / 86400 AS days_to_ship,
           extract(epoch FROM o.delivered_at - o.ordered_at) / 86400 AS days_to_deliver,
           -- An order still open is not sent: late from its promise on. One that is done without an instant may have
           -- been sent at any time.
           CASE WHEN o.ship_by_at IS NULL THEN 'unknown'
                WHEN o.shipped_at IS NOT NULL THEN
                    CASE WHEN o.shipped_at <= o.ship_by_at THEN 'on time' ELSE 'late' END
                WHEN o.status = 'completed' THEN 'unknown'
                WHEN o.ship_by_at < %(as_of)s THEN 'late'
                ELSE 'waiting' END AS shipping,
           CASE WHEN o.deliver_by_at IS NULL THEN 'unknown'
                WHEN o.delivered_at IS NOT NULL THEN
                    CASE WHEN o.delivered_at <= o.deliver_by_at THEN 'on time' ELSE 'late' END
                WHEN o.deliver_by_at >= %(as_of)s THEN 'waiting'
                ELSE 'unknown' END AS delivery
    FROM core.orders o
    WHERE o.order_date >= %(since)s AND o.order_date < %(until)s AND o.status <> 'cancelled' AND NOT o.is_test
)
SELECT s.week, s.channel_id, c.name AS channel, s.ship_country, s.ship_region, s.fulfilled_by,
       count(*) AS orders,
       count(*) FILTER (WHERE shipping = 'on time') AS shipped_on_time,
       count(*) FILTER (WHERE shipping = 'late') AS shipped_late,
       count(*) FILTER (WHERE shipping = 'unknown') AS shipping_unknown,
       count(days_to_ship) AS shipped,
       avg(days_to_ship)::float8 AS days_to_ship,
       count(*) FILTER (WHERE delivery = 'on time') AS delivered_on_time,
       count(*) FILTER (WHERE delivery = 'late') AS delivered_late,
       count(*) FILTER (WHERE delivery = 'unknown') AS delivery_unknown,
       count(days_to_deliver) AS delivered,
       avg(days_to_deliver)::float8 AS days_to_deliver
FROM sent s
JOIN core.channels c ON c.id = s.channel_id
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 1, 2, 4, 5, 6
