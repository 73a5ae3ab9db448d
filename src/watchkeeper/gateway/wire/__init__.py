"""HTTP/1.1 on both sides: `server` for clients, `client` for upstreams. Knows nothing of models or money."""
