"""``python -m ablate`` is the same as ``ablate``."""

from ablate.cli import main

main(prog_name="ablate")
