WITH newest AS (
    SELECT product_id, channel_id, max(generated_at) AS generated_at
    FROM core.forecasts
    GROUP BY 1, 2
)
SELECT c.name || '|' || p.sku AS series_id, f.product_id, f.channel_id, f.forecast_date AS date,
       f.model_type AS model, f.predicted_units AS yhat, f.lower_80 AS lo80, f.upper_80 AS hi80, f.lower_95 AS lo95,
       f.upper_95 AS hi95, f.generated_at
FROM core.forecasts f
JOIN newest n USING (product_id, channel_id, generated_at)
JOIN core.channels c ON c.id = f.channel_id
JOIN core.products p ON p.id = f.product_id
WHERE CAST(%(models)s AS text[]) IS NULL OR f.model_type = ANY (CAST(%(models)s AS text[]))
ORDER BY c.name, p.sku, f.model_type, f.forecast_date
