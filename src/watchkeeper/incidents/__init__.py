"""What becomes of an alert: who is told, in which words, and how often it is tried."""
