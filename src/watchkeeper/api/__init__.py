"""The control API: the answers of the stores as JSON, for the command line and for programs."""
