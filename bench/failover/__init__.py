"""The failure scenarios S01 to S16: what providers do when they fail, and what must be seen of it.

The scenarios are those of the public Failover Bench (its catalogue, methodology 0.1), played here against a whole
Watchkeeper as it is started by its users, with the official clients at their default settings. `make failover` prints
the scorecard; the tests play the same scenarios with all times a tenth as long.
"""
