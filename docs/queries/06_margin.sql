-- What is left of each product's sales after refunds, fees and the cost of the goods?
-- Products whose cost nobody states are shown with the units they hide, and have no margin.
SELECT p.sku AS sku,
       m.currency AS currency,
       m.revenue AS revenue,
       m.fees AS fees,
       if(m.units_without_cost = 0, m.goods, NULL) AS goods,
       if(m.units_without_cost = 0, m.margin, NULL) AS margin,
       m.units_without_cost AS units_without_cost
FROM (
    SELECT product_id,
           currency,
           sum(net_sales) - sum(refunded_net_amount) AS revenue,
           sum(fees_amount) AS fees,
           sum(goods_cost) AS goods,
           sum(contribution_margin) AS margin,
           sum(units_without_cost) AS units_without_cost
    FROM analytics.daily_margin
    GROUP BY product_id, currency
) m
JOIN analytics.products p ON p.product_id = m.product_id
ORDER BY margin DESC NULLS LAST, sku
