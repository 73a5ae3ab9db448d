"""One module per page: a frozen page model, the pure function that builds it from rows, and the handlers."""
