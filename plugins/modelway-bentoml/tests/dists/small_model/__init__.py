"""A plugin as a third party would write it: a preparer, a feature, and a trainer of linear models."""
