"""The program: ``ablate``, and ``python -m ablate``."""

import sys


def main() -> None:
    """Run the command line; an interrupt at any moment, also while modules are loaded, ends it with 130.

    Raises:
        SystemExit: Always; with the exit codes of :mod:`ablate.commands.exits`.
    """
    try:
        import click

        from ablate.cli import main as commands

        try:
            sys.exit(commands(prog_name="ablate", standalone_mode=False))
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            raise KeyboardInterrupt from None
    except KeyboardInterrupt:
        print("ablate: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
