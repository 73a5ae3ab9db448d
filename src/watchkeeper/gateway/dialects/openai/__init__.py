"""OpenAI's API as upstreams speak it, and every server compatible with it."""
