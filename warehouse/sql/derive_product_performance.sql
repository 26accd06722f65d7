-- ClickHouse. Counted up to the last whole day read of each channel; of one never read by API, its last sale.
WITH ends AS (
    SELECT d.channel_id, ifNull(c.complete_until, d.last_date) AS as_of
    FROM (SELECT channel_id, max(date) AS last_date FROM analytics.daily_sales_summary GROUP BY channel_id) d
    LEFT JOIN analytics.channels c ON c.channel_id = d.channel_id
),
-- Two arrays instead of a join, and each row into one span of days: all of the summary passes here.
(SELECT (groupArray(channel_id), groupArray(as_of)) FROM ends) AS known,
spans AS (
    SELECT channel_id, product_id, currency, transform(channel_id, known.1, known.2, toDate(0)) AS end,
           multiIf(date > end - 7, 7, date > end - 28, 28, date > end - 56, 56, date > end - 90, 90,
                   date > end - 365, 365, 9999) AS span,
           minIf(date, total_units > 0) AS first_date, maxIf(date, total_units > 0) AS last_date,
           countIf(total_units > 0) AS sold_days, sum(total_units) AS units, sum(refunded_units) AS refunded,
           sum(total_revenue) AS revenue
    FROM analytics.daily_sales_summary
    WHERE date <= end AND product_id <> 0
    GROUP BY channel_id, product_id, currency, end, span
),
sums AS (
    SELECT channel_id, product_id, currency, any(end) AS as_of,
           minIf(first_date, sold_days > 0) AS first_sale_date, maxIf(last_date, sold_days > 0) AS last_sale_date,
           sumIf(units, span = 7) AS units_7d,
           sumIf(units, span <= 28) AS units_28d,
           sumIf(units, span = 56) AS units_prev_28d,
           sumIf(units, span <= 90) AS units_90d,
           sumIf(units, span <= 365) AS units_365d,
           sumIf(refunded, span <= 90) AS refunded_90d,
           sumIf(revenue, span <= 28) AS revenue_28d,
           sumIf(revenue, span = 56) AS revenue_prev_28d,
           sumIf(revenue, span <= 90) AS revenue_90d,
           sumIf(revenue, span <= 365) AS revenue_365d
    FROM spans
    GROUP BY channel_id, product_id, currency
    HAVING sum(sold_days) > 0
),
ranked AS (
    SELECT *,
           row_number() OVER (
               PARTITION BY channel_id, currency ORDER BY revenue_28d DESC, product_id
           ) AS revenue_rank_28d,
           toFloat64(sum(greatest(revenue_365d, 0)) OVER (PARTITION BY channel_id, currency)) AS whole,
           toFloat64(sum(greatest(revenue_365d, 0)) OVER (
               PARTITION BY channel_id, currency ORDER BY revenue_365d DESC, product_id
               ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
           ) - greatest(revenue_365d, 0)) AS before
    FROM sums
)
SELECT channel_id, product_id, currency, as_of, first_sale_date, last_sale_date, units_7d, units_28d, units_prev_28d,
       units_90d, units_365d, CAST(revenue_28d AS Decimal(18, 4)) AS revenue_28d,
       CAST(revenue_prev_28d AS Decimal(18, 4)) AS revenue_prev_28d, CAST(revenue_90d AS Decimal(18, 4)) AS revenue_90d,
       CAST(revenue_365d AS Decimal(18, 4)) AS revenue_365d, units_28d / 28 AS velocity_28d,
       if(units_prev_28d > 0, units_28d / units_prev_28d - 1, NULL) AS units_growth_28d,
       if(units_90d > 0, refunded_90d / units_90d, NULL) AS refund_rate_90d,
       toInt64(revenue_rank_28d) AS revenue_rank_28d,
       if(whole > 0, toFloat64(revenue_365d) / whole, NULL) AS revenue_share_365d,
       multiIf(whole <= 0, NULL, revenue_365d <= 0, 'C', before < 0.8 * whole, 'A', before < 0.95 * whole, 'B', 'C')
           AS abc_class
FROM ranked
