"""What can go wrong in the warehouse, by what to do about it."""


class WarehouseError(Exception):
    """Base of all errors the warehouse raises on purpose."""


class SchemaError(WarehouseError):
    """The database's schema is not the one this code was written for; nothing was written."""


class LeaseHeldError(WarehouseError):
    """Somebody else works on this account and resource now: come back later."""


class LeaseLostError(WarehouseError):
    """Our lease ran out and may belong to somebody else: nothing was written, start over."""


class StagingLostError(WarehouseError):
    """Staged rows are gone (the server crashed and restarted): stage the window again."""


class StagingError(WarehouseError):
    """A frame does not have the columns of its staging table: a bug in its maker."""


class PublishBusyError(WarehouseError):
    """Another process is publishing: its run includes our days, or the next one will."""
