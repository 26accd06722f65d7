"""The words table definitions are written in: ids, money, instants, codes."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    Identity,
    MetaData,
    Numeric,
    SmallInteger,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Id = Annotated[
    int, mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Surrogate key.")
]
Key = Annotated[int, mapped_column(BigInteger)]  # another table's id
Code = Annotated[str, mapped_column(Text)]  # short text the source or we gave: an id, a name, a status
Money = Annotated[Decimal, mapped_column(Numeric(18, 4))]
Measure = Annotated[float, mapped_column(Numeric(18, 4, asdecimal=False))]  # a statistic, not money
UtcDateTime = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Day = Annotated[date, mapped_column(Date)]
Count = Annotated[int, mapped_column(BigInteger)]  # units and rows: 2^31 is within reach of bad input
Small = Annotated[int, mapped_column(SmallInteger)]
Json = Annotated[dict[str, object], mapped_column(JSONB)]


class Base(DeclarativeBase):
    """Every PostgreSQL table of Wharf; the migrations are compared with this metadata."""

    metadata = MetaData(naming_convention=NAMING)


def numbers_only(*columns: str) -> CheckConstraint:
    """No NaN in `columns`: PostgreSQL's numeric accepts it, and one makes every sum NaN."""
    return CheckConstraint(" AND ".join(f"{name} <> 'NaN'" for name in columns), name="numbers_only")
