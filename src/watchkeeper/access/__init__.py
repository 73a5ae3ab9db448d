"""Who may do what: keys, pseudonyms, the node's secrets, passwords and sessions. Nothing here knows a database."""
