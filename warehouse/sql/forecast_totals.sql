-- The newest ensemble forecast of every series, added up. Bounds as models.reconcile lays them: quantiles of what the
-- backtest's totals were off by, in units of how far the series' own errors add up.
WITH newest AS (
    SELECT product_id, channel_id, max(generated_at) AS generated_at FROM core.forecasts GROUP BY 1, 2
),
learned AS (
    SELECT level.key AS level, (level.value->>'shared')::float8 AS shared, level.value->'quantiles' AS quantiles
    FROM (SELECT spreads FROM core.forecast_runs WHERE spreads <> '{}' ORDER BY generated_at DESC LIMIT 1) r,
         jsonb_each(r.spreads) AS level
),
summed AS (
    SELECT CASE grouping(f.channel_id, coalesce(p.category, ''))
               WHEN 0 THEN 'channel and category' WHEN 1 THEN 'channel' WHEN 2 THEN 'category' ELSE 'total'
           END AS level,
           f.channel_id, coalesce(p.category, '') AS category, f.forecast_date, count(*) AS series,
           sum(f.predicted_units) AS units, sum(((f.upper_80 - f.lower_80) / 2)::float8 ^ 2) AS apart,
           sum((f.upper_80 - f.lower_80) / 2)::float8 ^ 2 AS together, max(f.generated_at) AS generated_at
    FROM core.forecasts f
    JOIN newest n USING (product_id, channel_id, generated_at)
    JOIN core.products p ON p.id = f.product_id
    WHERE f.model_type = 'ensemble'
    GROUP BY GROUPING SETS (
        (f.forecast_date),
        (f.forecast_date, f.channel_id),
        (f.forecast_date, coalesce(p.category, '')),
        (f.forecast_date, f.channel_id, coalesce(p.category, ''))
    )
)
INSERT INTO core.forecast_totals (
    level, channel_id, category, forecast_date, series, predicted_units, lower_80, upper_80, lower_95, upper_95,
    generated_at
)
SELECT s.level, s.channel_id, s.category, s.forecast_date, s.series, s.units,
       greatest(0, s.units + (u.quantiles->>'lo80')::float8 * w.unit),
       s.units + (u.quantiles->>'hi80')::float8 * w.unit,
       greatest(0, s.units + (u.quantiles->>'lo95')::float8 * w.unit),
       s.units + (u.quantiles->>'hi95')::float8 * w.unit, s.generated_at
FROM summed s
LEFT JOIN learned l USING (level)
CROSS JOIN LATERAL (SELECT coalesce(l.shared, :usual_shared) AS shared,
                           coalesce(l.quantiles, CAST(:usual_quantiles AS jsonb)) AS quantiles) u
CROSS JOIN LATERAL (SELECT sqrt((1 - u.shared) * s.apart + u.shared * s.together) AS unit) w
