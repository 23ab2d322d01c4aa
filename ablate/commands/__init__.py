"""What the commands do; the command line itself only parses and calls."""
