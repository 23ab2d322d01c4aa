"""What the help of commands looks like: in the order of a study, each with examples at its end."""

import click

EXAMPLES: dict[str, tuple[str, ...]] = {
    "run": ("ablate run optimizer.lr=0.5 train.epochs=3", "ablate run -m optimizer.lr=0.5,0.9 'seed=range(0,5)'"),
    "init": ("ablate init", "ablate init function tumours"),
    "sweep": ("ablate sweep quickstart", "ablate sweep lr optimizer.lr=0.9,1.3 study.seeds=5 results=tries"),
    "plan": ("ablate plan lr", "ablate plan lr train.epochs=20 --measure"),
    "studies": ("ablate studies", "ablate studies results=tries --all"),
    "report": ("ablate report lr", "ablate report lr batch_size results=tries --json"),
    "search": ("ablate search search", "ablate search search study.search.budget.samples=5M results=tries"),
    "watch": ("ablate watch lr", "ablate watch lr --serve 8000"),
    "export": ("ablate export lr --to csv", "ablate export lr batch_size --to wandb-offline --out runs"),
    "compare": ("ablate compare results/lr/runs.csv tries/lr/runs.csv", "ablate compare lr quickstart --markdown"),
    "judge": (
        "ablate judge runs.csv --factor lr --seed seed --metric val_acc:max",
        "ablate judge runs.csv -f lr -s seed -m 'val_acc:max[0..1]' -b 0.1",
    ),
    "reproduce": ("ablate reproduce", "ablate reproduce results=anew workers=4"),
    "runs": ("ablate runs --study lr --status diverged", "ablate runs results=tries --csv"),
    "merge": ("ablate merge results/lr results/epochs", "ablate merge results/lr --store other.db"),
    "data": ("ablate data fashion_mnist", "ablate data image_folder root=pictures test_fraction=0.3"),
    "model": ("ablate model", "ablate model model=alexnet"),
    "predict": ("ablate predict 3f2a91 shirt.png", "ablate predict 3f2a91 shirt.png boot.png --json"),
    "diagnose": ("ablate diagnose 3f2a91", "ablate diagnose 3f2a91 --against 77c0de --method grad_cam"),
    "plugins": ("ablate plugins", "ablate plugins --json"),
}
"""Command lines as somebody would type them, by command; each fits a terminal of 80 columns."""


class Command(click.Command):
    """A command whose help ends with examples."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See click."""
        with formatter.section("Examples"):
            for line in EXAMPLES[self.name or ""]:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class Group(click.Group):
    """Keeps the commands in the order in which a study uses them."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See click."""
        return list(self.commands)
