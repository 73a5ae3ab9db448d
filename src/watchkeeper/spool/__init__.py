"""The durable hand-over from the gateway to the store: append-only, encrypted segments, one folder for each worker."""
