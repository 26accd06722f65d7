-- ClickHouse. 365 days before {until}: daily_margin, and shares of what is booked on no product. A channel counts from
-- its first sale there: fees of sales nobody has read would make losses of nothing.
WITH opened AS (
    SELECT channel_id, min(date) AS first_date
    FROM analytics.daily_margin
    WHERE total_units > 0 AND date >= {until:Date} - 365
    GROUP BY channel_id
),
sold AS (
    SELECT channel_id, product_id, currency, sum(m.total_units) AS units, toFloat64(sum(m.net_sales)) AS sales,
           toFloat64(sum(m.refunded_net_amount)) AS refunded, toFloat64(sum(m.fees_amount)) AS fees,
           toFloat64(sum(m.goods_cost)) AS cost, sum(m.units_without_cost) AS without_cost
    FROM analytics.daily_margin m
    JOIN opened o ON o.channel_id = m.channel_id
    WHERE m.date >= o.first_date AND m.date < {until:Date}
    GROUP BY channel_id, product_id, currency
),
wholes AS (
    SELECT channel_id, currency, sumIf(fees, product_id = 0) AS unbooked, sumIf(sales, product_id <> 0) AS all_sales
    FROM sold
    GROUP BY channel_id, currency
),
shipped AS (
    SELECT channel_id, currency, toFloat64(sum(c.shipping_amount)) AS shipping
    FROM analytics.daily_channel_sales c
    WHERE c.date >= {until:Date} - 365 AND c.date < {until:Date}
    GROUP BY channel_id, currency
),
shared AS (
    SELECT s.channel_id AS channel_id, s.product_id AS product_id, s.currency AS currency, s.units AS units,
           s.sales AS sales, s.refunded AS refunded, s.fees AS fees,
           if(w.all_sales > 0, s.sales / w.all_sales, 0) AS part, part * w.unbooked AS fee_part,
           part * ifNull(h.shipping, 0) AS shipping_part, if(s.without_cost = 0, s.cost, NULL) AS known_cost,
           s.sales - s.refunded - s.fees - fee_part - known_cost AS earned
    FROM sold s
    JOIN wholes w ON w.channel_id = s.channel_id AND w.currency = s.currency
    LEFT JOIN shipped h ON h.channel_id = s.channel_id AND h.currency = s.currency
    WHERE s.product_id <> 0
)
SELECT channel_id, product_id, currency, {as_of:DateTime64(3, 'UTC')} AS as_of, units AS total_units,
       toDecimal64(round(shared.sales, 4), 4) AS net_sales,
       toDecimal64(round(shared.refunded, 4), 4) AS refunded, toDecimal64(round(shared.fees, 4), 4) AS fees,
       toDecimal64(round(fee_part, 4), 4) AS fee_share,
       toDecimal64(round(shipping_part, 4), 4) AS shipping_paid,
       CAST(round(known_cost, 4) AS Nullable(Decimal(18, 4))) AS goods_cost,
       CAST(round(earned, 4) AS Nullable(Decimal(18, 4))) AS contribution,
       if(shared.sales > shared.refunded, earned / (shared.sales - shared.refunded), NULL) AS contribution_rate,
       earned < 0 AS is_loss
FROM shared
