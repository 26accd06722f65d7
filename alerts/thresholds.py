"""When a figure becomes an alert, and who may say otherwise: a TOML file and rows of a table, no code.

```toml
[stock]                      # for everything
critical_days = 7
[accounts.amazon.stock]      # narrower beats wider: account, then category, then SKU
warning_days = 21
[categories."Garden".stock]
overstock_days = 365
[skus."MUG-01".stock]
enabled = false
[skus."MUG-01".supply]       # how it is bought
lead_time_days = 45
pack_size = 12
```
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from alerts.errors import AlertConfigError


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StockThresholds(_Group):
    """Days are days of cover on the forecast. `clear_ratio` is the hysteresis: 14 days fire, 15.4 clear."""

    enabled: bool = True
    critical_days: float = Field(default=7, gt=0)
    warning_days: float = Field(default=14, gt=0)
    clear_ratio: float = Field(default=1.1, ge=1)
    # From which chance on stock is said to run out within those days: above a half, or every second alarm is wrong.
    likely: float = Field(default=0.65, gt=0, le=1)
    # Chance of running out before a delivery ordered today arrives, from which on it is critical.
    lead_time_chance: float = Field(default=0.8, gt=0, le=1)
    min_daily_units: float = Field(default=0.03, ge=0)  # about one a month: below, it does not "sell"
    overstock_days: float = Field(default=180, gt=0)
    slow_daily_units: float = Field(default=0.03, ge=0)
    slow_min_units: int = Field(default=5, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> "StockThresholds":
        if not self.critical_days <= self.warning_days <= self.overstock_days:
            raise ValueError("critical_days <= warning_days <= overstock_days must hold")
        return self


class DemandThresholds(_Group):
    """A count is an anomaly when it is far off in per cent *and* improbable."""

    enabled: bool = True
    drop_rate: float = Field(default=0.6, gt=0, le=1)  # at least 60 % below the expected count
    spike_rate: float = Field(default=1.5, gt=0)  # at least 150 % above it
    max_probability: float = Field(default=1e-4, gt=0, lt=1)  # of a count so far off by chance
    # Alarms for nothing a month that stretches without any order may raise by the model, all subjects together. Its
    # levels and shapes are estimates: there are about three times as many.
    quiet_false_alarms: float = Field(default=0.3, gt=0)
    critical_drop_rate: float = Field(default=0.9, gt=0, le=1)
    min_expected: float = Field(default=5, ge=0)  # fewer expected orders than this prove nothing
    min_score: float = Field(default=0.9, ge=0, le=1)  # where the frame brings a score of 0 to 1
    trend_rate: float = Field(default=0.5, gt=0)
    trend_min_units: float = Field(default=10, ge=0)
    trend_max_probability: float = Field(default=0.01, gt=0, lt=1)


class DataThresholds(_Group):
    """When the data itself is the news."""

    enabled: bool = True
    stale_factor: float = Field(default=3, ge=1)  # times the interval of its schedule without a sync
    stale_critical_factor: float = Field(default=12, ge=1)
    refused_rate: float = Field(default=0.01, ge=0, le=1)
    refused_rows: int = Field(default=10, ge=1)
    difference_amount: float = Field(default=0.01, ge=0)


class SupplyTerms(_Group):
    """How goods are bought. None: as everything is (`WHARF_LEAD_TIME_DAYS`, `WHARF_SERVICE_LEVEL`)."""

    lead_time_days: float | None = Field(default=None, gt=0, le=365)  # from ordering to having
    service_level: float | None = Field(default=None, ge=0.5, lt=1)  # of order cycles without a stock-out
    pack_size: int = Field(default=1, ge=1)
    min_order_quantity: int = Field(default=0, ge=0)


class Scope(_Group):
    """One place of the file: any of the groups, any of their fields."""

    stock: Mapping[str, Any] = Field(default_factory=dict)
    demand: Mapping[str, Any] = Field(default_factory=dict)
    data: Mapping[str, Any] = Field(default_factory=dict)
    supply: Mapping[str, Any] = Field(default_factory=dict)


class Thresholds(Scope):
    """All thresholds. `stock_for` and its sisters answer for one subject, narrowest scope first."""

    accounts: Mapping[str, Scope] = Field(default_factory=dict)
    categories: Mapping[str, Scope] = Field(default_factory=dict)
    skus: Mapping[str, Scope] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _every_scope_is_valid(self) -> "Thresholds":
        scopes = {"the file": self, **self.accounts, **self.categories, **self.skus}
        for scope in scopes.values():
            StockThresholds(**{**self.stock, **scope.stock})
            DemandThresholds(**{**self.demand, **scope.demand})
            DataThresholds(**{**self.data, **scope.data})
            SupplyTerms(**{**self.supply, **scope.supply})
        return self

    def stock_for(self, account: str, category: str | None = None, sku: str | None = None) -> StockThresholds:
        """Stock thresholds of one SKU."""
        return StockThresholds(**self._merged("stock", account, category, sku))

    def demand_for(
        self, account: str, category: str | None = None, sku: str | None = None
    ) -> DemandThresholds:
        """Demand thresholds of one account, category or SKU."""
        return DemandThresholds(**self._merged("demand", account, category, sku))

    def data_for(self, account: str) -> DataThresholds:
        """Data thresholds of one account."""
        return DataThresholds(**self._merged("data", account, None, None))

    def supply_for(self, account: str, category: str | None = None, sku: str | None = None) -> SupplyTerms:
        """How one SKU is bought."""
        return SupplyTerms(**self._merged("supply", account, category, sku))

    def _merged(self, group: str, account: str, category: str | None, sku: str | None) -> dict[str, Any]:
        merged = dict(getattr(self, group))
        for scopes, key in ((self.accounts, account), (self.categories, category), (self.skus, sku)):
            if key is not None and key in scopes:
                merged.update(getattr(scopes[key], group))
        return merged


def load_thresholds(path: Path | None) -> Thresholds:
    """Thresholds of a TOML file; the defaults without one. A wrong file is named with its first mistake."""
    if path is None:
        return Thresholds()
    try:
        return Thresholds.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise AlertConfigError(f"cannot read thresholds {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise AlertConfigError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise AlertConfigError(f"{path}: {first_mistake(error)}") from error


def with_rows(thresholds: Thresholds, rows: Iterable[Mapping[str, Any]]) -> Thresholds:
    """The thresholds with those of a table on top: scope (all, account, category, sku), name, setting
    ("stock.critical_days"), value. A wrong one is named in an AlertConfigError."""
    told = thresholds.model_dump()
    for row in rows:
        group, _, field = str(row["setting"]).partition(".")
        place = told
        if row["scope"] != "all":
            scopes = told[{"account": "accounts", "category": "categories", "sku": "skus"}[row["scope"]]]
            place = scopes.setdefault(row["name"], {})
        if group not in _GROUPS or field not in _GROUPS[group].model_fields:
            raise AlertConfigError(
                f"there is no threshold {row['setting']!r}; there are {', '.join(settings())}"
            )
        place[group] = {**(place.get(group) or {}), field: row["value"]}
    try:
        return Thresholds.model_validate(told)
    except ValidationError as error:
        raise AlertConfigError(f"thresholds: {first_mistake(error)}") from error


def settings() -> list[str]:
    """Every threshold there is, as `group.field`."""
    return [f"{group}.{field}" for group, model in _GROUPS.items() for field in model.model_fields]


def in_force(thresholds: Thresholds) -> list[dict[str, str]]:
    """Rows of setting, for ("everything", or what it is narrowed to) and value, for a person to read."""
    everything = {
        "stock": thresholds.stock_for(""),
        "demand": thresholds.demand_for(""),
        "data": thresholds.data_for(""),
        "supply": thresholds.supply_for(""),
    }
    rows = [
        {
            "setting": f"{group}.{field}",
            "for": "everything",
            "value": "as set" if value is None else str(value),
        }
        for group, model in everything.items()
        for field, value in model.model_dump().items()
    ]
    for kind, scopes in (
        ("account", thresholds.accounts),
        ("category", thresholds.categories),
        ("sku", thresholds.skus),
    ):
        for name, scope in scopes.items():
            for group in _GROUPS:
                for field, value in getattr(scope, group).items():
                    rows.append({"setting": f"{group}.{field}", "for": f"{kind} {name}", "value": str(value)})
    return rows


_GROUPS: dict[str, type[_Group]] = {
    "stock": StockThresholds,
    "demand": DemandThresholds,
    "data": DataThresholds,
    "supply": SupplyTerms,
}


def first_mistake(error: ValidationError) -> str:
    """`place: what is wrong`, without the value (it may be a secret)."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "file"
    return f"{place}: {first['msg']}"
