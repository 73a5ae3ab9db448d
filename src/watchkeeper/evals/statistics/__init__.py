"""Formulas of evaluation: arrays in, figures out. What the figures mean for a release is said in `evals.gate`.

Only `scipy.special` is used of SciPy: its tests and distributions would take more than a second to import.
"""
