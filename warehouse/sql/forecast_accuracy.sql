-- Every forecast of past days against what was sold, summed; days without anything sellable are left out.
WITH past AS (
    SELECT f.product_id, f.channel_id, f.forecast_date, f.model_type, f.predicted_units, f.lower_80, f.upper_80,
           f.lower_95, f.upper_95, f.generated_at,
           (f.forecast_date - (f.generated_at AT TIME ZONE c.timezone)::date) / 7 AS horizon_week
    FROM core.forecasts f
    JOIN core.channels c ON c.id = f.channel_id
    JOIN ops.observations o ON o.channel_id = f.channel_id AND o.resource = 'orders'
    WHERE f.forecast_date >= :first AND f.forecast_date < :after
      AND f.forecast_date < (o.observed_at AT TIME ZONE c.timezone)::date
      AND f.forecast_date >= (f.generated_at AT TIME ZONE c.timezone)::date
), sold AS (
    SELECT channel_id, product_id, order_date AS forecast_date, sum(units)::numeric AS units
    FROM core.sales_events
    WHERE order_date >= :first AND order_date < :after AND product_id IS NOT NULL AND kind <> 'replacement'
    GROUP BY 1, 2, 3
), truth AS (
    SELECT k.product_id, k.channel_id, k.forecast_date, coalesce(s.units, 0) AS units
    FROM (SELECT DISTINCT product_id, channel_id, forecast_date FROM past) k
    JOIN core.channels c ON c.id = k.channel_id
    LEFT JOIN sold s USING (product_id, channel_id, forecast_date)
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(last.quantity_available) > 0, true) AS in_stock
        FROM (
            SELECT DISTINCT ON (h.warehouse_location) greatest(h.quantity_available, 0) AS quantity_available
            FROM core.inventory_history h
            WHERE h.product_id = k.product_id AND h.channel_id = k.channel_id
              AND h.observed_at < ((k.forecast_date + 1)::timestamp AT TIME ZONE c.timezone)
            ORDER BY h.warehouse_location, h.observed_at DESC, h.id DESC
        ) last
    ) stock
    WHERE coalesce(s.units, 0) > 0 OR stock.in_stock
), sample AS (
    SELECT product_id, channel_id, forecast_date, generated_at FROM past WHERE model_type = :sampled_by
)
INSERT INTO core.forecast_accuracy AS a (
    date, channel_id, model_type, horizon_week, is_sample, forecasts, units, absolute_error, signed_error, in_80,
    in_95, measured_at
)
SELECT p.forecast_date, p.channel_id, p.model_type, p.horizon_week, m.product_id IS NOT NULL, count(*),
       sum(t.units), sum(abs(p.predicted_units - t.units)), sum(p.predicted_units - t.units),
       count(*) FILTER (WHERE t.units BETWEEN p.lower_80 AND p.upper_80),
       count(*) FILTER (WHERE t.units BETWEEN p.lower_95 AND p.upper_95), :now
FROM past p
JOIN truth t USING (product_id, channel_id, forecast_date)
LEFT JOIN sample m USING (product_id, channel_id, forecast_date, generated_at)
GROUP BY 1, 2, 3, 4, 5
ON CONFLICT (date, channel_id, model_type, horizon_week, is_sample) DO UPDATE SET
    forecasts = EXCLUDED.forecasts, units = EXCLUDED.units, absolute_error = EXCLUDED.absolute_error,
    signed_error = EXCLUDED.signed_error, in_80 = EXCLUDED.in_80, in_95 = EXCLUDED.in_95,
    measured_at = EXCLUDED.measured_at
