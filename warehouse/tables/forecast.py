"""`core`: forecasts, the runs that made them, and the registry of trained models."""

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.tables.base import Base, Code, Count, Day, Id, Json, Key, Measure, UtcDateTime
from warehouse.tables.core import NOW


class ForecastRun(Base):
    """One forecast made for all series. Grain: generated_at."""

    __tablename__ = "forecast_runs"
    __table_args__ = (
        UniqueConstraint("generated_at"),
        {"schema": "core", "comment": "Forecasts made. Grain: generated_at."},
    )

    id: Mapped[Id]
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id.")
    generated_at: Mapped[UtcDateTime] = mapped_column(comment="When it was made.")
    history_until: Mapped[Day | None] = mapped_column(comment="Last day of sales it knew.")
    horizon_days: Mapped[Count] = mapped_column(comment="Days ahead.")
    series: Mapped[Count] = mapped_column(comment="Series forecast.")
    rows: Mapped[Count] = mapped_column(comment="Rows stored.")
    scores: Mapped[Json] = mapped_column(
        server_default=text("'{}'"), comment="Backtest scores by model, seasonal naive beside them."
    )
    model_version: Mapped[Code | None] = mapped_column(
        comment="core.trained_models.version it was made with."
    )
    spreads: Mapped[Json] = mapped_column(
        server_default=text("'{}'"), comment="How wide the bounds of totals are, by level, from the backtest."
    )


class Forecast(Base):
    """Units expected on a day. Grain: (generated_at, model_type, channel, product, forecast_date)."""

    __tablename__ = "forecasts"
    __table_args__ = (
        PrimaryKeyConstraint("product_id", "channel_id", "generated_at", "model_type", "forecast_date"),
        Index(None, "generated_at"),
        {
            "schema": "core",
            "comment": "Expected units per day. "
            "Grain: (product_id, channel_id, generated_at, model_type, forecast_date).",
        },
    )

    product_id: Mapped[Key] = mapped_column(comment="core.products.id.")
    channel_id: Mapped[Key] = mapped_column(comment="core.channels.id.")
    forecast_date: Mapped[Day] = mapped_column(comment="The day forecast.")
    model_type: Mapped[Code] = mapped_column(comment="prophet, lstm, arima, ensemble, …")
    predicted_units: Mapped[Measure] = mapped_column(comment="Expected (mean) units.")
    lower_80: Mapped[Measure] = mapped_column(comment="10 % quantile.")
    upper_80: Mapped[Measure] = mapped_column(comment="90 % quantile.")
    lower_95: Mapped[Measure] = mapped_column(comment="2.5 % quantile.")
    upper_95: Mapped[Measure] = mapped_column(comment="97.5 % quantile.")
    generated_at: Mapped[UtcDateTime] = mapped_column(comment="When it was made.")


class ForecastTotal(Base):
    """The ensemble's newest forecasts, added up. Grain: (level, channel, category, forecast_date)."""

    __tablename__ = "forecast_totals"
    __table_args__ = (
        UniqueConstraint(
            "level", "channel_id", "category", "forecast_date", postgresql_nulls_not_distinct=True
        ),
        {
            "schema": "core",
            "comment": "Exact sums of the newest ensemble forecast of every series, with bounds of their own. "
            "Grain: (level, channel_id, category, forecast_date).",
        },
    )

    id: Mapped[Id]
    level: Mapped[Code] = mapped_column(comment="total, channel, category, channel and category.")
    channel_id: Mapped[Key | None] = mapped_column(comment="core.channels.id; null: all.")
    category: Mapped[Code | None] = mapped_column(comment="Null: all; empty: products without one.")
    forecast_date: Mapped[Day] = mapped_column(comment="The day forecast.")
    series: Mapped[Count] = mapped_column(comment="Forecasts added up.")
    predicted_units: Mapped[Measure] = mapped_column(comment="Expected (mean) units: their sum.")
    lower_80: Mapped[Measure] = mapped_column(comment="10 % quantile.")
    upper_80: Mapped[Measure] = mapped_column(comment="90 % quantile.")
    lower_95: Mapped[Measure] = mapped_column(comment="2.5 % quantile.")
    upper_95: Mapped[Measure] = mapped_column(comment="97.5 % quantile.")
    generated_at: Mapped[UtcDateTime] = mapped_column(comment="When the newest of them was made.")


class DemandSum(Base):
    """Units expected over the next days together, as a distribution. Grain: (channel, product, lead_days)."""

    __tablename__ = "demand_sums"
    __table_args__ = (
        PrimaryKeyConstraint("product_id", "channel_id", "lead_days"),
        {
            "schema": "core",
            "comment": "Summed demand over the days after generated_at, from the latest forecast. "
            "Grain: (product_id, channel_id, lead_days).",
        },
    )

    product_id: Mapped[Key] = mapped_column(comment="core.products.id.")
    channel_id: Mapped[Key] = mapped_column(comment="core.channels.id.")
    lead_days: Mapped[Count] = mapped_column(comment="Days summed over.")
    mean_units: Mapped[Measure] = mapped_column(comment="Expected units.")
    quantiles: Mapped[Json] = mapped_column(
        comment="Units by quantile: q050 is the 5 % one, q990 the 99 % one."
    )
    generated_at: Mapped[UtcDateTime] = mapped_column(comment="When the forecast was made.")


class ForecastAccuracy(Base):
    """Forecasts of a past day against what was sold. Grain: (date, channel, model_type, horizon_week, is_sample)."""

    __tablename__ = "forecast_accuracy"
    __table_args__ = (
        PrimaryKeyConstraint("date", "channel_id", "model_type", "horizon_week", "is_sample"),
        {
            "schema": "core",
            "comment": "Forecasts of a past day against what was sold, days out of stock left out. "
            "Grain: (date, channel_id, model_type, horizon_week, is_sample).",
        },
    )

    date: Mapped[Day] = mapped_column(comment="The day forecast, now past.")
    channel_id: Mapped[Key] = mapped_column(comment="core.channels.id.")
    model_type: Mapped[Code] = mapped_column(comment="prophet, lstm, arima, ensemble, …")
    horizon_week: Mapped[Count] = mapped_column(
        comment="Whole weeks between making the forecast and the day."
    )
    is_sample: Mapped[bool] = mapped_column(comment="Series the models learn from, which backtests measure.")
    forecasts: Mapped[Count] = mapped_column(comment="Forecasts of this day that were compared.")
    units: Mapped[Measure] = mapped_column(comment="Units sold, counted once per forecast.")
    absolute_error: Mapped[Measure] = mapped_column(
        comment="Sum of abs(predicted - sold); over units it is WAPE."
    )
    signed_error: Mapped[Measure] = mapped_column(comment="Sum of predicted - sold; over units it is bias.")
    in_80: Mapped[Count] = mapped_column(comment="Forecasts whose 80 % interval held.")
    in_95: Mapped[Count] = mapped_column(comment="Forecasts whose 95 % interval held.")
    measured_at: Mapped[UtcDateTime] = mapped_column(comment="When it was measured.")


class TrainedModel(Base):
    """A trained model and what it was trained on. Grain: (name, version)."""

    __tablename__ = "trained_models"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        {"schema": "core", "comment": "Trained models: data span, scores, hash. Grain: (name, version)."},
    )

    id: Mapped[Id]
    name: Mapped[Code] = mapped_column(comment="Model, e.g. lstm.")
    version: Mapped[Code] = mapped_column(comment="Version, e.g. an instant.")
    trained_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="When.")
    data_from: Mapped[Day | None] = mapped_column(comment="First day trained on.")
    data_until: Mapped[Day | None] = mapped_column(comment="Last day trained on.")
    series: Mapped[Count] = mapped_column(comment="Series trained on.")
    scores: Mapped[Json] = mapped_column(server_default=text("'{}'"), comment="Backtest scores.")
    sha256: Mapped[Code] = mapped_column(comment="Hash of the stored file.")
    path: Mapped[Code] = mapped_column(comment="Where it is stored, below the model folder.")
    run_id: Mapped[Key | None] = mapped_column(ForeignKey("ops.runs.id"), comment="ops.runs.id.")
