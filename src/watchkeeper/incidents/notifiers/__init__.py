"""One module for each way of telling somebody; they do not know each other."""
