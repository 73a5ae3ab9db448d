"""promptfoo's configurations, read and run as they are."""
