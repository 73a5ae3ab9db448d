"""What upstreams speak. A dialect writes the request's head, and reads usage, errors and stream ends."""
