"""A mapping with a name chooses the option of that name, as Hydra's ``override`` does, and sets its fields."""

import pytest
from click.testing import CliRunner

from ablate.cli import main
from ablate.plan.compose import sources
from ablate.plan.plan import make_plan
from ablate.plan.suggestions import did_you_mean

STUDY = "study: {seeds: 6, factors: {optimizer.lr: [0.1, 0.3]}}\n"
PARTS = """
from typing import Annotated, Literal

from pydantic import Field

from ablate.images.parts import DeclaredData, Network


class Wide(Network):
    name: Literal["wide"] = "wide"
    width: Annotated[int, Field(ge=1)] = 32
    norm: bool = True

    def build(self, in_channels, input_size, classes):
        raise NotImplementedError


class Dots(DeclaredData):
    name: Literal["dots"] = "dots"
    val_size: Annotated[int, Field(ge=1)] = 4

    def read(self):
        import numpy as np

        from ablate.images.data.arrays import Arrays

        images, labels = np.zeros((20, 1, 28, 28), np.uint8), np.arange(20) % 2
        return Arrays(images, labels, images, labels, classes=("a", "b"))
"""


@pytest.fixture
def mine(folder, write):
    """Writes a study file beside a network and a data set of one's own."""
    write("parts.py", PARTS)
    write("ablate.toml", '[networks]\nwide = "parts:Wide"\n\n[datasets]\ndots = "parts:Dots"\n')
    return lambda rest, study=STUDY: write("sweeps/mine.yaml", f"{study}{rest}\n")


@pytest.fixture
def runs(mine):
    """The runs of a study file, in order."""

    def runs(*written, words=()):
        mine(*written)
        return make_plan(sources(["sweeps=mine", *words])).runs

    return runs


@pytest.fixture
def refused(mine, monkeypatch):
    """What ``ablate plan`` says of a study file, line by line, without what comes before every problem."""
    monkeypatch.setenv("COLUMNS", "200")

    def refused(*written, words=()):
        mine(*written)
        done = CliRunner().invoke(main, ["plan", "mine", *words], catch_exceptions=False)
        assert done.exit_code == 2, done.output
        return [line.removeprefix("ablate: error: study mine: ") for line in done.stderr.splitlines()]

    return refused


def digests(runs):
    return [run.digest for run in runs]


@pytest.mark.parametrize(
    ("named", "overridden"),
    [
        ("model: {name: wide, width: 8}", "defaults: [{override /model: wide}]\nmodel: {width: 8}"),
        ("model: {name: wide}", "model: wide"),
        ("model: {name: vgg11, width: 8}", "defaults: [{override /model: vgg11}]\nmodel: {width: 8}"),
        ("model: {name: lenet_1998, dropout: 0.1}", "defaults: [{override /model: lenet_1998}]\nmodel: {dropout: 0.1}"),
        ("model: {name: lenet, dropout: 0.1}", "model: {dropout: 0.1}"),
        (
            "optimizer: {name: adam, weight_decay: 0.1}",
            "defaults: [{override /optimizer: adam}]\noptimizer: {weight_decay: 0.1}",
        ),
        ("schedule: {name: step, gamma: 0.5}", "defaults: [{override /schedule: step}]\nschedule: {gamma: 0.5}"),
        (
            "model: {name: wide, width: 8}\ndata: {name: dots, protocol: holdout}",
            "defaults: [{override /model: wide}, {override /data: dots}]\nmodel: {width: 8}\ndata: {protocol: holdout}",
        ),
        ("defaults: [{override /model: wide}]\nmodel: {name: wide, width: 8}", "model: {name: wide, width: 8}"),
        ("defaults: [{override /model: lenet_1998}]\nmodel: {name: lenet}", "model: lenet_1998"),
    ],
)
def test_a_name_chooses_an_option_as_an_override_does(runs, named, overridden):
    assert digests(runs(named)) == digests(runs(overridden))


def test_no_field_of_the_option_before_stays(runs):
    (run, *_) = runs("model: {name: wide, width: 8}\ndata: {name: dots, protocol: holdout}")
    assert (run.model.name, run.model.width, run.model.norm) == ("wide", 8, True)
    assert run.data.val_size == 4


def test_the_command_line_still_beats_the_file(runs):
    beaten = runs("model: {name: wide, width: 8}", words=["model=lenet"])
    assert {run.model.name for run in beaten} == {"lenet"}
    assert {run.model.width for run in runs("model: {name: wide, width: 8}", words=["model.width=16"])} == {16}


def test_plan_prints_such_a_study(mine):
    mine("model: {name: wide, width: 8}")
    done = CliRunner().invoke(main, ["plan", "mine"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "18 distinct" in done.stdout


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        (
            "model: {name: wode, width: 8}",
            "model.name = 'wode': there is no such option; did you mean wide?; options are ",
        ),
        ("model: {name: vgg, width: 8}", "model.name = 'vgg': there is no such option; did you mean vgg"),
        ("optimizer: {name: adma, lr: 0.1}", "optimizer.name = 'adma': there is no such option; did you mean adam?"),
        (
            "model: {name: wide, pooling: max}",
            "model.pooling: there is no such field; fields are model.name, model.width, ",
        ),
        ("model: {name: wide, wdth: 8}", "model.wdth: there is no such field; did you mean model.width?"),
        ("model: {name: wide, width: much}", "model.width = 'much': input should be a valid integer"),
        (
            "model: {wide: {width: 8}}",
            "model.wide: there is no such field; the option is chosen by its name, model: {name: wide, ...}",
        ),
        (
            "defaults: [{override /model: wide}]\nmodel: {name: lenet}",
            "model.name = 'lenet': defaults chooses model wide; leave one of the two out",
        ),
    ],
)
def test_what_is_no_option_or_no_field_of_it_is_told_once(refused, rest, says):
    (said,) = refused(rest)
    assert said.startswith(says)


NAME_ALONE = "the name alone would leave the other fields as {} has them; write {}, which brings its own"


@pytest.mark.parametrize(
    ("factors", "says"),
    [
        ("model.name: [lenet, wide]", f"model.name = 'wide': {NAME_ALONE.format('lenet', 'model = wide')}"),
        ("data.name: [dots]", f"data.name = 'dots': {NAME_ALONE.format('fashion_mnist', 'data = dots')}"),
        (
            "net: {a: {}, b: {model: {name: wide, width: 8}}}",
            "net = b: model = {'name': 'wide', 'width': 8}: the levels of a configuration group are names of its "
            "options; write {model: wide, model.width: 8}",
        ),
        (
            "optimizer.lr: [fast]",
            "optimizer.lr = 'fast': input should be a valid number",
        ),
        ("model: [lenet, wode]", "model = 'wode': there is no such option; did you mean wide?; options are "),
    ],
)
def test_a_level_that_chooses_by_a_name_says_what_to_write(refused, factors, says):
    (said,) = refused("", f"study: {{factors: {{{factors}}}}}\n")
    assert said.startswith(says)


def test_a_name_that_takes_nothing_along_is_a_level_as_before(runs):
    by_name = runs("", "study: {seeds: 1, factors: {schedule.name: [constant, cosine]}}\n")
    assert digests(by_name) == digests(runs("", "study: {seeds: 1, factors: {schedule: [constant, cosine]}}\n"))


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("model.name=wide", f"model.name = 'wide': {NAME_ALONE.format('lenet', 'model = wide')}"),
        (
            "model={name: wide, width: 8}",
            "model={name: wide, width: 8}: a word chooses an option or sets one field; write model=wide "
            "model.width=...",
        ),
    ],
)
def test_a_word_of_the_command_line_chooses_by_the_group(refused, word, says):
    assert refused("", words=[word]) == [says]


def test_what_was_written_is_never_what_was_meant():
    assert did_you_mean("model.width", ["model.width"]) == ""
    assert did_you_mean("model.width", ["model.width", "model.widths"]) == "; did you mean model.widths?"


@pytest.mark.parametrize(
    ("values", "name", "field"),
    [("{name: adam, lr: 0.01}", "adam", "betas"), ("{name: mine}", "mine", "momentum")],
)
def test_an_application_s_option_is_chosen_where_it_has_the_name_itself(write, values, name, field):
    write(
        "train.py",
        "import hydra\n\n@hydra.main(version_base='1.3', config_path='.', config_name='config')\ndef main(config):\n"
        "    return config.optimizer.lr\n\nif __name__ == '__main__':\n    main()\n",
    )
    write("config.yaml", "defaults: [{optimizer: sgd}, _self_]\nseed: 0\nepochs: 1\n")
    write("optimizer/sgd.yaml", "{name: sgd, lr: 0.1, momentum: 0.9}\n")
    write("optimizer/adam.yaml", "{name: adam, lr: 0.001, betas: [0.9, 0.999]}\n")
    write("optimizer/other.yaml", "{name: mine, lr: 0.5, rho: 0.1}\n")
    write("ablate.toml", '[tasks.app]\nkind = "hydra"\nscript = "train.py"\nmetrics.value = {goal = "max"}\n')
    write("sweeps/s.yaml", f"study: {{task: app, factors: {{epochs: [1, 2]}}, seeds: 1}}\noptimizer: {values}\n")
    (run, _) = make_plan(sources(["sweeps=s"])).runs
    assert run.config["optimizer"]["name"] == name
    assert field in run.config["optimizer"]
