"""Measures Watchkeeper on the machine at hand; `python -m bench` runs everything, `python -m bench NAME` a part."""
