"""The assertions of promptfoo, in families: each rule gives the verdict that promptfoo gives."""
