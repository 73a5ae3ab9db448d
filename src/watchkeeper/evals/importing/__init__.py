"""Other programs' evaluations as suites: every part is understood, changed in meaning, or left out, and told which."""
