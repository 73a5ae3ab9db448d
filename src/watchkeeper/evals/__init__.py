"""Evaluation: suites of cases, scorers, runs, statistics, gates, and drift."""
