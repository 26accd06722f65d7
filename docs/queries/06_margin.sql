-- What is left of each product's sales after refunds, fees and the cost of the goods?
-- Products whose cost nobody states are shown with the units they hide, and have no margin.
SELECT p.sku AS sku,
       m.currency AS currency,
       sum(m.net_sales) - sum(m.refunded_net_amount) AS revenue,
       sum(m.fees_amount) AS fees,
       if(sum(m.units_without_cost) = 0, sum(m.goods_cost), NULL) AS goods,
       if(sum(m.units_without_cost) = 0, sum(m.contribution_margin), NULL) AS margin,
       sum(m.units_without_cost) AS units_without_cost
FROM analytics.daily_margin m
JOIN analytics.products p ON p.product_id = m.product_id
GROUP BY sku, currency
ORDER BY margin DESC NULLS LAST, sku
