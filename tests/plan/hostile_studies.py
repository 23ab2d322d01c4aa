"""Study files of a stranger who means ill: what stands in each, and what is said of it."""

import gzip
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECRET = "s3cr3t-of-the-environment"

TOY = "task: toy, seeds: 1, factors: {lr: [0.1, 0.2]}"
GOOD = f"study: {{{TOY}}}\n"
"""Of a task that the project declares, as all are that need none of the built-in one's fields."""

NO_HYDRA = "a study file says nothing about Hydra"
NO_CODE = "configuration is data and cannot name code"
NO_TAG = "names code or a type; a study file is plain data"
NO_RESOLVER = "a study file may link to values of its configuration"
NO_PLACE = "is said on the command line, not by a study file"
NO_STUDY = "there is none of that name"
NO_OPTION = "must be a list of choices"
NO_TABLE = "there is no such file below"
TOO_MANY = "holds more than 20,000 values"


@dataclass(frozen=True)
class Case:
    """One file, or what stands in its place."""

    name: str
    content: str | bytes | Callable[[Path], object]
    """Of ``sweeps/NAME.yaml``; or what makes that path, and others beside it."""
    says: str = ""
    """A part of the message that refuses it; empty: it is harmless and is planned."""


def _study(fields: str, rest: str = "") -> str:
    return f"study: {{{TOY}, {fields}}}\n{rest}"


def _only(fields: str) -> str:
    return f"study: {{task: toy, {fields}}}\n"


LR = "{lr: [0.1, 0.2]}"


def _search(space: str = LR, fields: str = "", budget: str = "runs: 5") -> str:
    return _only(f"seeds: 2, search: {{budget: {{{budget}}}, space: {space}{fields and ', '}{fields}}}")


HYDRA = {
    "env-path": "hydra: {job: {env_set: {PYTHONPATH: evil}}}",
    "env-browser": "hydra: {job: {env_set: {BROWSER: touch CANARY, PYTHONWARNINGS: 'error::canary.Warning'}}}",
    "logging": "hydra: {job_logging: {version: 1, handlers: {x: {class: 'ext://canary.run'}}}}",
    "searchpath": "hydra: {searchpath: ['pkg://canary', 'file:///etc']}",
    "callbacks": "hydra: {callbacks: {x: {_target_: canary.run}}}",
    "launcher": "hydra: {launcher: {_target_: canary.run}}",
    "sweeper": "hydra: {sweeper: {_target_: canary.run}}",
    "run-dir": "hydra: {run: {dir: outside}, output_subdir: outside, sweep: {dir: outside}}",
    "nothing": "hydra: null",
    "group-key": "hydra/launcher: basic",
}
DEFAULTS = {
    "launcher": "{override hydra/launcher: basic}",
    "logging": "{override /hydra/job_logging: colorlog}",
    "path": "../../evil",
    "package": "{override /model@hydra.launcher: lenet}",
    "dots": "{override ../evil: x}",
    "secret": "{override /model: '${oc.env:SECRET}'}",
    "target": "{override /model: {_target_: canary.run}}",
}
CODE = {
    "top": GOOD + "_target_: canary.run\n",
    "field": GOOD + "sub: {_target_: canary.run}\n",
    "dotted": GOOD + "sub: {a._target_: canary.run}\n",
    "list": GOOD + "width: [{_target_: canary.run, _args_: [touch CANARY]}]\n",
    "level": _only("factors: {f: {a: {sub._target_: canary.run}}}"),
    "factor": _only("factors: {sub._target_: [canary.run]}"),
    "claim": _study("claims: [{_target_: canary.run}]"),
    "space": _search("{lr: {choices: {a: {sub._target_: canary.run}}}}"),
    "partial": GOOD + "sub: {_partial_: true, a: 2}\n",
}
TAGS = (
    "!!python/object/apply:canary.run [x]",
    "!!python/object/new:canary.run {}",
    "!!python/name:canary.run ''",
    "!!python/module:canary ''",
    "!!binary aGFsbG8=",
    "!!set {a, b}",
    "!canary x",
    "!<tag:yaml.org,2002:python/tuple> [1]",
)
READERS = {
    "question": _study("question: '${oc.env:SECRET}'"),
    "label": _study("labels: {lr: '${oc.env:SECRET}'}"),
    "remark": _study("remarks: ['${oc.decode:${oc.env:SECRET}}']"),
    "claim": _study("claims: [{text: '${oc.env:SECRET}', kind: better}]"),
    "source": _study("published: {table: t.csv, factor: lr, source: '${oc.env:SECRET}', repeats: 1}"),
    "table": _study("published: {table: '${oc.env:SECRET}', factor: lr, source: x, repeats: 1}"),
    "level": _only("factors: {name: ['${oc.env:SECRET}', x]}"),
    "named": _only("factors: {f: {a: {name: '${oc.env:SECRET,x}'}}}"),
    "seed": _only("factors: {lr: [1]}, seeds: '${oc.env:SECRET}'"),
    "field": GOOD + "name: '${oc.env:SECRET}'\n",
    "hydra": GOOD + "name: '${hydra:runtime.cwd}'\n",
    "create": GOOD + "name: '${oc.create:{a: 1}}'\n",
    "made": GOOD + "name: oc.env\nsub: {a: '${${name}:SECRET}'}\n",
    "inner": GOOD + "name: '${sub.${name}}'\n",
    "include": _only("includes: ['${oc.env:SECRET}']"),
    "fixed": _search(LR, "fixed: {name: '${oc.env:SECRET}'}"),
    "store": GOOD + "store: 'postgresql://${oc.env:SECRET}@example.invalid/x'\n",
    "results": GOOD + "results: '${oc.env:SECRET}'\n",
}
PLACES = ("store: sqlite:///outside.db", "results: outside", "executor: slurm", "keep: weights", "device: cuda:0")
TABLES = {
    "above": "../canary.py",
    "absolute": "/etc/passwd",
    "home": "~/x.csv",
    "url": "http://example.invalid/t.csv",
    "process": "/proc/self/environ",
    "folder": ".",
}
BROKEN = {
    "empty": ("", "must be a mapping with a study: node"),
    "comment": ("# nothing\n", "must be a mapping with a study: node"),
    "list": ("- study\n", "must be a mapping with a study: node"),
    "documents": (GOOD + "---\n" + GOOD, "a second document begins"),
    "garbage": (bytes(range(256)) * 64, "is no text in UTF-8"),
    "utf-16": (GOOD.encode("utf-16"), "is no text in UTF-8"),
    "latin-1": ((GOOD + "name: ä\n").encode("latin-1"), "is no text in UTF-8"),
    "tab": ("study:\n\tseeds: 2\n", "a tab; YAML wants spaces"),
    "nul": (GOOD + "name: a\0b\n", "is no YAML"),
    "table-nul": (_study('published: {table: "a\\0b"}'), "holds the control character U+0000"),
    "escape": (GOOD + 'name: "\\e[31m"\n', "holds the control character U+001B"),
    "direction": (GOOD + "name: a\u202eb\n", "holds the control character U+202E"),
    "large": ("#" + "x" * 300_000 + "\n" + GOOD, "is too large for a study file"),
    "twice": (GOOD + "lr: 1\nlr: 2\n", "the key 'lr' stands here twice"),
    "list-key": (GOOD + "? [a]\n: b\n", "a key must be text"),
    "alias-key": ("a: &a [x]\n*a : b\n" + GOOD, "a key must be text"),
    "no-alias": (GOOD + "name: *x\n", "*x names nothing"),
    "merges": ("a: &a {x: 1}\nb: {<<: *a, <<: *a}\n" + GOOD, "the key '<<' stands here twice"),
    "merge": (GOOD + "sub: {<<: 5}\n", "must be an alias of a mapping"),
    "no-study": ("lr: 1\n", "the file has no study: node"),
    "no-node": ("study: [lr]\n", "must be a mapping"),
    "no-field": (_study("run: rm"), "study.run: there is no such field"),
    "no-task": ("study: {task: canary.run, factors: {lr: [1]}}\n", "there is no such task"),
    "loss": ("study: {factors: {train.loss: [canary.run]}, seeds: 1}\n", "there is no such losse"),
    "augment": ("study: {factors: {optimizer.lr: [1]}}\ndata: {augment: {canary.run: {}}}\n", "there is no such"),
    "claim-factor": (_study("claims: [{factor: [lr], kind: better}]"), "factor = ['lr']: must be a text"),
    "choice": (_search("{lr: {choices: [{a: 1}]}}"), "needs a name"),
    "step": (_search("{lr: {low: 0.1, high: 1, step: .nan}}"), "must be a number above 0"),
}


def _laughs(inner: str, outer: str) -> str:
    lines = [f"a: &a {inner}"]
    lines += [f"{name}: &{name} {outer.replace('*', '*' + before)}" for before, name in itertools.pairwise("abcdefghi")]
    return "\n".join(lines) + "\n" + GOOD


def _listed(items: object, count: int) -> str:
    return "[" + ", ".join([str(items)] * count) + "]"


STEPS = "{start: 1, stop: 10000, step: 1}"
MANY = str(list(range(9000)))
LINK = "'${name} ${name}'"
CLAIM = "{id: a, text: b, kind: monotone, factor: lr, metric: acc, levels: [0.1, 0.2]}"
TABLE = "{table: t.csv, factor: lr, source: x, repeats: 1}"
BOMBS = {
    "laughs": (_laughs("[x]", _listed("*", 9)), TOO_MANY),
    "laughing-keys": (_laughs("{x: y}", "{" + ", ".join(f"k{i}: *" for i in range(9)) + "}"), TOO_MANY),
    "texts": (f"a: &a {'x' * 3900}\nb: {_listed('*a', 15_000)}\n" + GOOD, "holds more than 262,144 characters"),
    "long": (GOOD + f"name: {'x' * 100_000}\n", "a text of 100,000 characters; at most 4,000"),
    "inside": ("a: &a [*a]\n" + GOOD, "*a stands inside of what it names"),
    "inside-study": ("study: &a {task: toy, factors: *a}\n", "*a stands inside of what it names"),
    "flow": (GOOD + "name: " + "[" * 100_000, "bomb-flow.yaml"),
    "block": ("\n".join(" " * depth + "a:" for depth in range(600)), "is nested more than 24 deep"),
    "keys": (GOOD + "? " * 50_000, "a key must be text"),
    "directives": ("".join(f"%TAG !a{i}! tag:x\n" for i in range(4000)) + "--- x\n", "must be a mapping"),
    "unknown": (GOOD + "".join(f"q{i}: 1\n" for i in range(9000)), "more problems"),
    "number": (GOOD + f"lr: 1e{'9' * 90}\n", "must be a number"),
    "digits": (_only(f"factors: {{lr: [1]}}, seeds: 1{'0' * 90}"), "at most 100,000"),
    "seeds": (_only("factors: {lr: [1]}, seeds: 1000000000"), "at most 100,000"),
    "many-runs": (_only("factors: {lr: [1, 2]}, seeds: 100000"), "at most 10,000 settings and 100,000 runs"),
    "looks": (_only("factors: {lr: [1]}, seeds: {looks: [6, 1000000000]}"), "less than or equal to 100000"),
    "range": (_only("factors: {lr: {start: 0, stop: 1.0e+308, step: 5.0e-324}}"), "levels; at most 10000"),
    "grid": (
        _only(f"design: grid, factors: {{lr: {STEPS}, name: {STEPS}, sub.a: {STEPS}}}"),
        "makes 1,000,000,000,000",
    ),
    "wide-grid": (
        _only("design: grid, factors: {" + ", ".join(f"f{i}: {{a: {{}}, b: {{}}}}" for i in range(40)) + "}"),
        "makes 1,099,511,627,776 settings",
    ),
    "factors": (
        _only("factors: {" + ", ".join(f"f{i}: {{a: {{lr: 1}}}}" for i in range(900)) + "}"),
        "900 of them; at most 200",
    ),
    "claims": (_study(f"claims: {_listed(CLAIM, 201)}"), "201 of them; at most 200"),
    "tables": (_study(f"published: {_listed(TABLE, 150)}"), "there are 150 tables of lr; one a factor"),
    "claim-levels": (
        _study(f"claims: [{CLAIM.replace('[0.1, 0.2]', MANY)}]"),
        "claims.0: lr has no level 0",
    ),
    "circle": (GOOD + "lr: ${sub.a}\nsub: {a: '${lr}'}\n", "links lead in a circle"),
    "links": (_study(f"remarks: {_listed(LINK, 190)}", f"name: {'x' * 3900}\n"), "comes to more than 100,000"),
    "search-seeds": (_search(LR, "seeds: 1000000000"), "at most 1,000"),
    "search-grid": (
        _search("{lr: {low: 1, high: 1000000000000}}", "sampler: grid"),
        "a grid of up to",
    ),
    "search-range": (_search(f"{{lr: {{low: 1, high: 1{'0' * 90}}}}}"), "whole numbers up to"),
    "search-floats": (_search("{lr: {low: -1.0e+308, high: 1.0e+308}}"), "others up to 1e+300"),
    "search-choices": (_search(f"{{lr: {MANY}}}"), "9,000 choices; at most 50 with 200"),
    "search-when": (
        _search("{" + ", ".join(f"f{i}: {{choices: {{a: {{}}}}, when: {{f{i + 1}: a}}}}" for i in range(900)) + "}"),
        "900 factors with 900 choices; at most 50 with 200",
    ),
    "search-start": (
        _search(LR, f"start: {_listed('{lr: 0.1}', 900)}"),
        "at most 100",
    ),
    "search-budget": (_search(budget=f"runs: {'9' * 400}k"), "must be a number above 0"),
    "search-minutes": (_search(budget="minutes: 1.0e+308"), "less than or equal to"),
    "search-top": (
        _search(LR, "confirm: {top: 1000000000000}"),
        "less than or equal",
    ),
}


def _chain(path: Path) -> None:
    path.write_text(_only("includes: [link0]"))
    for number in range(12):
        path.with_name(f"link{number}.yaml").write_text(_only(f"includes: [link{number + 1}]"))
    path.with_name("link12.yaml").write_text(GOOD)


def _table_of(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """A study with a published table that something makes."""

    def write(path: Path) -> None:
        path.write_text(_study(f"published: {{table: {path.stem}.csv.gz, factor: lr, source: x, repeats: 1}}"))
        make(path.with_name(f"{path.stem}.csv.gz"))

    return write


def _bomb(path: Path) -> None:
    path.write_bytes(gzip.compress(b"label,acc\n" + b"0.1,0.5\n" * 10_000_000, 1)[:1_000_000])


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, NO_STUDY),
    "folder": (Path.mkdir, NO_STUDY),
    "device": (lambda path: path.symlink_to("/dev/zero"), NO_STUDY),
    "outside": (lambda path: path.symlink_to(path.parents[1] / "ablate.toml"), NO_STUDY),
    "environment": (lambda path: path.symlink_to("/proc/self/environ"), NO_STUDY),
    "itself": (lambda path: path.symlink_to(path), NO_STUDY),
    "nowhere": (lambda path: path.symlink_to("/nowhere"), NO_STUDY),
    "chain": (_chain, "is included by way of more than 5 others"),
    "table-pipe": (_table_of(os.mkfifo), NO_TABLE),
    "table-device": (_table_of(lambda path: path.symlink_to("/dev/zero")), NO_TABLE),
    "table-environment": (_table_of(lambda path: path.symlink_to("/proc/self/environ")), NO_TABLE),
    "table-large": (_table_of(lambda path: path.write_bytes(b"a,acc\n" * 200_000)), "is too large for a table"),
    "table-bomb": (_table_of(_bomb), "is no published table"),
    "table-wide": (_table_of(lambda path: path.write_bytes(b"a," * 100_000 + b"\n")), "is no published table"),
}
NAMES = (
    "-rf",
    ".hidden",
    "a\nb",
    "\x1b[31mred",
    "[red]x[blue]",
    "$(touch CANARY)",
    "x;touch CANARY",
    "${oc.env:SECRET}",
    "x' y",
    "ablate.db",
    "index.html",
    "é" * 120,
)
"""Of files, which are no names of studies."""

ODD = "'[/red] [low] =1+1 @x $y$ \\ { <b> :smile: ${name} $${name}'"
HARMLESS = {
    "mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "markup": _study(f"question: {ODD}, labels: {{lr: {ODD}}}, remarks: [{ODD}]", "name: '{oc.env:SECRET}'\n"),
    "levels": _only(
        "seeds: 1, factors: {name: ['[/red]', '{oc.env:SECRET}', '$${sub.a}', '=1', '../x', '; touch CANARY']}"
    ),
    "names": _only("seeds: 1, factors: {'../x [/b]': {'[/]': {lr: 1}, '{seed}': {lr: 2}, '__class__': {lr: 3}}}"),
    "merged": "sub: &a {a: 2}\n" + GOOD.replace("seeds: 1", "seeds: 1, labels: {<<: &b {lr: x}}"),
    "many-levels": _only("seeds: 1, factors: {lr: {start: 1, stop: 500, step: 1}}"),
    "linked-levels": _only("seeds: 1, factors: {lr: {start: 1, stop: 500, step: 1}}") + f"name: '{'${lr}' * 20}'\n",
}

KINDS = (
    *(
        "null",
        "true",
        "5",
        "-1",
        "1.5",
        ".nan",
        ".inf",
        "x",
        "''",
        "[]",
        "{}",
        "[[]]",
        "[{}]",
        "[null]",
        "[5]",
        "[x, x]",
    ),
    *("{a: b}", "{a: {b: c}}", "{a: [1]}", "{a: null}", "1" + "0" * 30, "[1.0e+400]", "{start: 1, stop: 2, step: 1}"),
)
"""Values of every kind, most of them of the wrong one wherever they stand."""

CASES = (
    *(Case(f"hydra-{name}", f"{GOOD}{text}\n", NO_HYDRA) for name, text in HYDRA.items()),
    *(Case(f"defaults-{name}", f"{GOOD}defaults: [{text}]\n", NO_OPTION) for name, text in DEFAULTS.items()),
    *(Case(f"code-{name}", text, NO_CODE) for name, text in CODE.items()),
    *(Case(f"tag-{number}", f"{GOOD}name: {tag}\n", NO_TAG) for number, tag in enumerate(TAGS)),
    *(Case(f"reads-{name}", text, NO_RESOLVER) for name, text in READERS.items()),
    *(Case(f"place-{text.partition(':')[0]}", f"{GOOD}{text}\n", NO_PLACE) for text in PLACES),
    *(
        Case(f"table-{name}", _study(f"published: {{table: {table}, factor: lr, source: x, repeats: 1}}"), NO_TABLE)
        for name, table in TABLES.items()
    ),
    *(Case(f"broken-{name}", text, says) for name, (text, says) in BROKEN.items()),
    *(Case(f"bomb-{name}", text, says) for name, (text, says) in BOMBS.items()),
    *(Case(f"file-{name}", make, says) for name, (make, says) in FILES.items()),
    *(Case(name, GOOD, "rename the file") for name in NAMES),
    *(Case(f"harmless-{name}", text) for name, text in HARMLESS.items()),
)
