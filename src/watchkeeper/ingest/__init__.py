"""Takes in what the gateway has written down: from the spool into the analytics store, priced and readable."""
