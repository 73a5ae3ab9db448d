-- How many calls match.
SELECT count() FROM calls WHERE {where}
