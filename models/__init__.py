"""Forecasting and inventory: frames in, frames out. Database tables live in `warehouse.tables`."""
