"""The console: rows become a page model, a page model becomes HTML. Nothing here decides what is true."""
