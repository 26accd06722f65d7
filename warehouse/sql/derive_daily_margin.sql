-- ClickHouse, one month. A cost in another currency is converted by the day's rates of both.
WITH moved AS (
    SELECT date, channel_id, product_id, currency, total_units, gross_revenue - discount_amount AS net_sales,
           refunded_net_amount, toDecimal64(0, 4) AS fees_amount
    FROM analytics.daily_sales_as_happened
    WHERE date >= {first:Date} AND date < {after:Date}
    UNION ALL
    SELECT date, channel_id, product_id, currency, 0, toDecimal64(0, 4), toDecimal64(0, 4), amount
    FROM analytics.daily_fees
    WHERE date >= {first:Date} AND date < {after:Date}
),
totals AS (
    SELECT date, channel_id, product_id, currency, sum(total_units) AS units, sum(net_sales) AS sales,
           sum(refunded_net_amount) AS refunded, sum(fees_amount) AS fees
    FROM moved
    GROUP BY date, channel_id, product_id, currency
),
costed AS (
    SELECT t.date AS date, t.channel_id AS channel_id, t.product_id AS product_id, t.currency AS currency,
           t.units AS units, t.sales AS sales, t.refunded AS refunded, t.fees AS fees,
           CAST(multiIf(
               t.units = 0, toDecimal128(0, 4),
               p.cost_price IS NULL OR p.cost_currency IS NULL, NULL,
               p.cost_currency = t.currency, CAST(t.units * p.cost_price AS Nullable(Decimal(38, 4))),
               CAST(round(t.units * p.cost_price * c.rate / s.rate, 4) AS Nullable(Decimal(38, 4)))
           ) AS Nullable(Decimal(18, 4))) AS cost
    FROM totals t
    LEFT JOIN analytics.products p ON p.product_id = t.product_id
    LEFT JOIN analytics.exchange_rates c ON c.currency = ifNull(p.cost_currency, '') AND c.date = t.date
    LEFT JOIN analytics.exchange_rates s ON s.currency = t.currency AND s.date = t.date
)
SELECT date, channel_id, product_id, currency, units AS total_units, CAST(sales AS Decimal(18, 4)) AS net_sales,
       CAST(refunded AS Decimal(18, 4)) AS refunded_net_amount, CAST(fees AS Decimal(18, 4)) AS fees_amount,
       cost AS goods_cost, CAST(sales - refunded - fees - cost AS Nullable(Decimal(18, 4))) AS contribution_margin,
       if(cost IS NULL, units, 0) AS units_without_cost
FROM costed
