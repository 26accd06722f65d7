-- Unit cost in the channel's own currency: what its listing states, else a listing in the same currency, else one in
-- another at the newest rates of both to the reporting currency.
WITH rates AS (
    SELECT CAST(%(reporting)s AS text) AS currency, 1::numeric AS rate
    UNION ALL
    (SELECT DISTINCT ON (currency) currency, rate
     FROM core.exchange_rates
     WHERE reporting_currency = %(reporting)s AND currency <> %(reporting)s
     ORDER BY currency, date DESC)
)
SELECT c.name || '|' || p.sku AS series_id,
       coalesce(
           max(k.cost_price) FILTER (WHERE k.channel_id = c.id),
           max(k.cost_price) FILTER (WHERE k.currency = c.currency),
           round(max(k.cost_price * stated.rate / wanted.rate), 4)
       ) AS unit_cost
FROM core.channels c
JOIN core.channel_products l ON l.channel_id = c.id
JOIN core.products p ON p.id = l.product_id
JOIN core.channel_products k ON k.product_id = p.id
LEFT JOIN rates stated ON stated.currency = k.currency
LEFT JOIN rates wanted ON wanted.currency = c.currency
GROUP BY c.id, c.name, c.currency, p.sku
ORDER BY 1
