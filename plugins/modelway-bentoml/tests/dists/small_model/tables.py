"""Needed in training only: no scoring code imports it."""
