"""What people and programs read of a run: a page, a comment on a pull request, files for other tools."""
