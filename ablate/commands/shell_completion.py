"""Tab completion of the command line's words, and of ``KEY=VALUE`` in bash, which takes it for three words."""

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class


def complete_study(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return studies that were not named yet."""
    from ablate.plan.sources import study_names

    chosen = set(ctx.params.get(param.name or "", ()) or ())
    return [CompletionItem(name) for name in study_names() if name.startswith(incomplete) and name not in chosen]


def complete_override(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return keys and values of the configuration: that of the last study named, if any."""
    from ablate.plan import completion
    from ablate.plan.sources import study_names

    words = [str(word) for word in ctx.params.get(param.name or "", ()) or ()]
    studies = [f"sweeps={word}" for word in words if word in study_names()]
    return [CompletionItem(text) for text in completion.complete_override(incomplete, [*words, *studies[-1:]])]


def complete_study_or_override(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return studies, and overrides once something of one was typed."""
    studies = complete_study(ctx, param, incomplete)
    return studies + (complete_override(ctx, param, incomplete) if incomplete else [])


def complete_kind(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the kinds of projects that ``ablate init`` can begin."""
    from ablate.commands.init import KINDS

    return [CompletionItem(kind, help=one.what) for kind, one in KINDS.items() if kind.startswith(incomplete)]


@add_completion_class
class OverridesInBash(BashComplete):
    """Bash's completion, which breaks words at ``=`` and replaces only what follows the last one."""

    source_template = BashComplete.source_template.replace(
        "COMPREPLY+=($value)", "COMPREPLY+=($value)\n            [[ $value == *[=.] ]] && compopt -o nospace"
    )
    _before = ""
    """What bash leaves as it is of the word that is typed."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Put words together that bash has broken."""
        args, last = super().get_completion_args()
        words = list[str]()
        for word in [*args, last]:
            belongs = words and word and (word.startswith("=") or words[-1].endswith("="))
            if belongs:
                words[-1] += word
            else:
                words.append(word)
        typed = words.pop()
        self._before = typed[: len(typed) - len(last.lstrip("="))] if typed != last else ""
        return words, typed

    def format_completion(self, item: CompletionItem) -> str:
        """Leave out what bash keeps."""
        return f"{item.type},{str(item.value).removeprefix(self._before)}"
