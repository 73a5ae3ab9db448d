"""Words of the domain: calls, usage, money, ids, time, errors. No input or output happens here."""
