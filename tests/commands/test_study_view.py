"""Claims and published tables of a study file, held against its plan before anything is trained."""

import pytest

from ablate.commands.studies import named, order
from ablate.commands.study_view import view_of
from ablate.task.errors import ConfigError

BASE = "data: {train_size: 1000}\ntrain: {epochs: 1}\noptimizer: {lr: 0.3}\n"
PUBLISHED = "published: {table: printed.csv, factor: optimizer.lr, source: a paper, repeats: 10}"


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a study and its published table into the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps").mkdir()

    def write(study, printed=None):
        lines = "".join(f"  {line}\n" for line in study.strip().splitlines())
        (tmp_path / "sweeps" / "own.yaml").write_text(f"study:\n{lines}{BASE}")
        if printed is not None:
            (tmp_path / "sweeps" / "printed.csv").write_text(printed)

    return write


def viewed(*overrides):
    wanted = order(named(["own"], overrides))
    return view_of(wanted.plan.studies[0], wanted.plan, command="")


def means(view):
    table = view.factor("optimizer.lr").published
    return None if table is None else dict(zip(table["label"], table["test_acc"], strict=True))


def test_published_rows_are_levels_by_value_and_what_is_none_is_named(written):
    written(
        f"factors: {{optimizer.lr: [0.3, 0.5, 0.0001, 2.0]}}\n{PUBLISHED}",
        "lr,test_acc\n0.30,0.1\n.5,0.2\n1e-4,0.3\n2,0.4\n0.7,0.5\nmuch,0.6\n",
    )
    view = viewed()
    assert means(view) == {"0.3": 0.1, "0.5": 0.2, "0.0001": 0.3, "2.0": 0.4}
    assert view.notices == ("In printed.csv (published), 0.7, much are no level of lr.",)


def test_rows_of_named_levels_are_found_by_name_and_not_by_what_a_number_is_in_them(written):
    written(
        "factors: {optimizer.lr: {low: {optimizer.lr: 0.1}, '0.5': {optimizer.lr: 0.3}}}\n" + PUBLISHED,
        "lr,test_acc\nlow,0.1\n0.5,0.2\n0.1,0.3\n",
    )
    view = viewed()
    assert means(view) == {"low": 0.1, "0.5": 0.2}
    assert view.notices == ("In printed.csv (published), 0.1 is no level of lr.",)


def test_two_rows_of_one_level_are_refused(written):
    written(f"factors: {{optimizer.lr: [0.3, 0.5]}}\n{PUBLISHED}", "lr,test_acc\n0.3,0.1\n0.30,0.2\n")
    with pytest.raises(ConfigError, match=r"printed.csv: 0\.3 and 0\.30 are one level, 0\.3"):
        viewed()


def test_a_claim_may_use_any_name_of_a_level(written):
    written(
        "factors: {model.dropout: {none: {}, zero: {model.dropout: 0.0}, some: {model.dropout: 0.3}}}\n"
        "claims: [{text: t, kind: better, factor: model.dropout, metric: test_acc, levels: [zero, some]}]"
    )
    assert viewed().claims[0].levels == ("none", "some")


def test_a_claim_over_data_names_levels_of_its_own_factor(written):
    claim = "{text: x, kind: better, factor: %s, over: %s, metric: test_acc, levels: [%s]}"
    study = "design: grid\nfactors: {data: [fashion_mnist, mnist], optimizer.lr: {low: {optimizer.lr: 0.1}, high: "
    study += "{optimizer.lr: 0.3}}}\nseeds: 1\nclaims: ["
    written(study + claim % ("optimizer.lr", "data", "high, low") + "]")
    view = viewed()
    assert view.factors[0].path == "data x optimizer.lr"
    assert [(c.factor, c.over, c.levels) for c in view.claims] == [("optimizer.lr", ("data",), ("high", "low"))]
    assert viewed("study.factors.data=[fashion_mnist]").claims == ()
    written(study + claim % ("optimizer.lr", "data", "high, other") + ", " + claim % ("data", "lr", "mnist, 1") + "]")
    with pytest.raises(ConfigError) as refused:
        viewed()
    first, second = refused.value.problems
    assert first.endswith("claims.0: optimizer.lr has no level 'other'; levels are low, high")
    assert (
        "claims.1: over = ['lr']: needs a study of design grid with factors data, lr; this one is of design grid"
        in (second)
    )


@pytest.mark.parametrize("change", ["train.epochs=2", "data.train_size=900", "optimizer=adam", "model.dropout=0.1"])
def test_a_changed_protocol_is_not_held_against_what_was_printed_nor_judged(written, change):
    written(
        f"factors: {{optimizer.lr: [0.3, 0.5]}}\n{PUBLISHED}\n"
        "claims: [{text: t, kind: better, factor: optimizer.lr, metric: test_acc, levels: [0.5, 0.3]}]",
        "lr,test_acc\n0.3,0.1\n",
    )
    assert means(viewed()) == {"0.3": 0.1}
    assert len(viewed().claims) == 1
    view = viewed(change)
    assert means(view) is None
    assert view.claims == ()
    assert "another protocol than study own states" in view.notices[0]
    assert len(viewed("study.seeds=3", "workers=1").claims) == 1


@pytest.mark.parametrize("command", ["plan", "sweep", "report"])
def test_everything_that_is_wrong_is_told_at_once_and_before_training(written, ablate, tmp_path, command):
    written(
        """factors: {optimizer.lr: [0.1, 0.3]}
published:
  - {table: nosuch.csv, factor: optimizer.lr, source: s, repeats: 10}
  - {table: printed.csv, factor: optimizer.rate, source: s, repeats: 10}
claims:
  - {text: a, kind: beter, factor: optimizer.lr, metric: test_acc, levels: [0.1, 0.3]}
  - {text: b, kind: better, factor: optimizer.lr, metric: test_acc, levels: [0.1, 0.7]}
  - {text: c, kind: better, factor: optimizer.lr, metric: tst_acc, levels: [0.1, 0.3]}""",
        "lr,test_acc\n0.3,0.1\n",
    )
    said = ablate(command, "own", code=2)
    for problem in ("'beter'", "no level 0.7", "'tst_acc'", "nosuch.csv", "'optimizer.rate'"):
        assert problem in said
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("words", [["study.design=grid"], ["study.factors.optimizer.lr=[0.1,0.2]"]])
def test_levels_that_the_command_line_has_changed_are_no_mistake_of_the_file(words, written):
    written(
        f"factors: {{optimizer.lr: [0.3, 0.5], model.pooling: [avg, max]}}\nseeds: [0]\n{PUBLISHED}\n"
        "claims: [{text: t, kind: better, factor: optimizer.lr, levels: [0.5, 0.3], metric: test_acc}]",
        "label,test_acc\n0.5,0.8\n",
    )
    assert len(viewed().claims) == 1
    changed = viewed(*words)
    assert not changed.claims
    assert changed.notices


CLAIM = "{text: t, kind: beter, factor: optimizer.lr, metric: test_acc, levels: [0.1, 0.9]}"
TABLE = "{table: nosuch.csv, factor: optimizer.lr, source: me, repeats: 1}"


@pytest.mark.parametrize(
    ("node", "rest", "told"),
    [
        (f"factors: {{optimizer.rate: [0.1]}}, claims: [{CLAIM}]", "", ("optimizer.rate", "kind = 'beter'")),
        (
            f"factors: {{optimizer.lr: [0.1, fast]}}, published: {TABLE}, claims: [{CLAIM}]",
            "",
            ("optimizer.lr = 'fast'", "nosuch.csv", "kind = 'beter'"),
        ),
        (
            f"factors: {{optimizer.lr: [0.1]}}, published: {{table: a.csv}}, claims: [{CLAIM}]",
            "train: {epochs: many}",
            ("study.published.0.source: is missing", "kind = 'beter'", "train.epochs = 'many'"),
        ),
        (
            f"factors: {{optimizer.lr: [0.1]}}, seeds: 0, metrics: [nope], claims: [{CLAIM}]",
            "model: {pooling: none}",
            ("study.seeds = 0", "metrics = ['nope']", "kind = 'beter'", "model.pooling = 'none'"),
        ),
    ],
)
def test_problems_of_every_kind_are_told_together(tmp_path, monkeypatch, node, rest, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_text(f"study: {{{node}}}\n{rest}\n")
    with pytest.raises(ConfigError) as caught:
        order(named(["mine"], []))
    assert [part for part in told if not any(part in problem for problem in caught.value.problems)] == []
