"""Tasks that are any command line: a program that knows nothing of this package."""
