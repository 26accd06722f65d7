-- ClickHouse. 91 days before {until} and the 91 before those, from daily_region_sales.
WITH places AS (
    SELECT channel_id, ship_country, ship_region, currency,
           sumIf(r.num_orders, r.date >= {until:Date} - 91) AS orders,
           sumIf(r.total_units, r.date >= {until:Date} - 91) AS units,
           toFloat64(sumIf(r.gross_revenue, r.date >= {until:Date} - 91)) AS gross,
           toFloat64(sumIf(r.refunded_amount, r.date >= {until:Date} - 91)) AS refunded,
           toFloat64(sumIf(r.total_revenue, r.date >= {until:Date} - 91)) AS revenue,
           toFloat64(sumIf(r.total_revenue, r.date < {until:Date} - 91)) AS before
    FROM analytics.daily_region_sales r
    WHERE r.date >= {until:Date} - 182 AND r.date < {until:Date}
    GROUP BY channel_id, ship_country, ship_region, currency
),
wholes AS (
    SELECT channel_id, currency, sum(revenue) AS all_revenue, sum(before) AS all_before
    FROM places
    GROUP BY channel_id, currency
)
SELECT p.channel_id AS channel_id, p.ship_country AS ship_country, p.ship_region AS ship_region,
       p.currency AS currency, {as_of:DateTime64(3, 'UTC')} AS as_of, p.orders AS num_orders, p.units AS total_units,
       toDecimal64(round(p.revenue, 4), 4) AS total_revenue,
       if(w.all_revenue > 0, p.revenue / w.all_revenue, 0) AS revenue_share,
       if(p.orders > 0, toDecimal64(round(p.revenue / p.orders, 4), 4), NULL) AS avg_order,
       if(p.gross > 0, p.refunded / p.gross, NULL) AS refund_rate,
       toDecimal64(round(p.before, 4), 4) AS revenue_prev_91d,
       if(p.before > 0, p.revenue / p.before - 1, NULL) AS growth,
       if(p.before > 0 AND w.all_before > 0, p.revenue / p.before - w.all_revenue / w.all_before, NULL)
           AS growth_beside_channel
FROM places p
JOIN wholes w ON w.channel_id = p.channel_id AND w.currency = p.currency
