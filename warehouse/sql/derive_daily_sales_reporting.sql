-- ClickHouse, one month. Half of the last digit is rounded away from zero, as in PostgreSQL.
SELECT s.date, s.channel_id, s.product_id, s.currency, {reporting:String} AS reporting_currency, r.rate, r.rate_date,
       CAST(round(s.total_revenue * r.rate, 4) AS Nullable(Decimal(18, 4))) AS total_revenue,
       CAST(round(s.gross_revenue * r.rate, 4) AS Nullable(Decimal(18, 4))) AS gross_revenue,
       CAST(round(s.refunded_amount * r.rate, 4) AS Nullable(Decimal(18, 4))) AS refunded_amount,
       s.total_units
FROM analytics.daily_sales_summary s
LEFT JOIN analytics.exchange_rates r ON r.currency = s.currency AND r.date = s.date
WHERE s.date >= {first:Date} AND s.date < {after:Date}
