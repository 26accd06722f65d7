SELECT f.forecast_date, f.channel_id, f.product_id, f.model_type, f.predicted_units, f.lower_80, f.upper_80,
       f.lower_95, f.upper_95, f.generated_at
FROM core.forecasts f
JOIN (SELECT product_id, channel_id, max(generated_at) AS generated_at FROM core.forecasts GROUP BY 1, 2) n
  USING (product_id, channel_id, generated_at)
ORDER BY f.product_id, f.channel_id, f.model_type, f.forecast_date
