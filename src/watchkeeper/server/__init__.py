"""The composition root: the only place that builds the parts and joins them, one module per process."""
