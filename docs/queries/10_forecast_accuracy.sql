-- How good were the forecasts, by model and by week ahead? Days without stock say nothing about demand.
SELECT model_type,
       intDiv(horizon_days, 7) + 1 AS week_ahead,
       count() AS days,
       sum(units) AS units_sold,
       round(sum(absolute_error) / nullIf(sum(units), 0), 4) AS wape,
       round(avg(in_80), 4) AS inside_80
FROM analytics.forecast_accuracy
WHERE in_stock
GROUP BY model_type, week_ahead
ORDER BY model_type, week_ahead
