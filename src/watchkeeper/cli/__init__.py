"""The command line: one module for each noun. Every command asks the control API and prints what it says."""
