"""What is trained is what the study file says, or planning refuses: over generated studies of the built-in task.

What a study means is found without the planner: plain Hydra composes the configuration with the options that a level
has, OmegaConf sets its values and follows its links.
"""

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablate.images.run import parse_run
from ablate.plan.study_yaml import plain_scalar
from ablate.task.errors import ConfigError
from ablate.task.identity import flatten
from tests.plan.generated import Changes, Generated, check, planned, studies
from tests.plan.spelling import Spelt, among, bools, endless, link, listed, lookalikes, nulls, of_float, of_int

CONF = Path(__file__).parents[2] / "conf"
GROUPS = ("model", "optimizer", "schedule")

activations = st.one_of(among("relu", "tanh", "sigmoid", "elu"), st.just(link("model.activation")))
wrong = st.one_of(lookalikes, endless, bools, nulls, of_int(-3, 3))


def mostly(right: st.SearchStrategy[Spelt]) -> st.SearchStrategy[Spelt]:
    return st.integers(0, 24).flatmap(lambda drawn: wrong if drawn == 7 else right)


FIELDS = {
    "optimizer.lr": mostly(st.one_of(of_float(), of_int(0, 2))),
    "optimizer.momentum": mostly(st.one_of(of_float(0, 99, (-3, -2)), of_int(0, 1))),
    "optimizer.weight_decay": mostly(st.one_of(of_float(), st.just(link("optimizer.lr")))),
    "optimizer.nesterov": mostly(bools),
    "optimizer": among("sgd", "adam", "adamw", "lion"),
    "schedule": among("constant", "cosine"),
    "train.epochs": mostly(st.one_of(of_int(1, 3000), st.just(link("train.batch_size")))),
    "train.batch_size": mostly(of_int(1, 1024)),
    "train.label_smoothing": mostly(of_float(0, 99, (-2, -2))),
    "model.activation": mostly(among("relu", "tanh", "sigmoid", "elu", "swish")),
    "model.activation_c5": mostly(activations),
    "model.activation_f6": mostly(st.one_of(activations, st.just(link("model.activation_c5")))),
    "model.dropout": mostly(st.one_of(of_float(0, 99, (-2, -2)), st.just(link("optimizer.momentum")))),
    "model.channels": mostly(listed(of_int(1, 32), 2, 2)),
    "model": among("lenet", "lenet", "alexnet"),
    "data.train_size": mostly(st.one_of(of_int(1, 60_000), nulls)),
    "data.normalize": mostly(bools),
}
RANGES = {"optimizer.lr": (0, 30, -1), "train.epochs": (1, 50, 0), "model.dropout": (0, 9, -2)}
CHOICES = st.sampled_from([{}, {}, {"optimizer": "adam"}, {"schedule": "cosine"}])


@cache
def composed(choices: tuple[str, ...]) -> DictConfig:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return compose("config", overrides=list(choices))


def meaning(study: Generated, changes: Changes) -> dict[str, Any] | None:
    """By plain Hydra and OmegaConf; None: they, or the task, have no such configuration."""
    has = {"optimizer": "sgd", "schedule": "constant", "model": "lenet"}
    has |= study.choices | {path: spelt.value for path, spelt in study.baseline.items() if path in GROUPS}
    wanted = has | {path: value for path, value in changes if path in GROUPS}
    try:
        config = copy.deepcopy(composed(tuple(f"{group}={option}" for group, option in wanted.items())))
        own = [(path, spelt.value) for path, spelt in study.baseline.items() if path not in GROUPS]
        kept = [(path, value) for path, value in own if has.get(group := path.split(".")[0]) == wanted.get(group)]
        for path, value in [*kept, *(change for change in changes if change[0] not in GROUPS)]:
            OmegaConf.update(config, path, value, force_add=False)
        values = OmegaConf.to_container(config, resolve=True)
        assert isinstance(values, dict)
        parse_run(values)
    except (HydraException, OmegaConfBaseException, ConfigError, RecursionError):
        return None
    return {str(key): value for key, value in values.items() if key != "seed"}


def is_that(run: Mapping[str, Any], meant: Mapping[str, Any]) -> bool:
    """A run's configuration has every value that is meant, none of another type; null may stand for a default."""
    has = flatten(run)
    return all(path in has and _is_value(has[path], value) for path, value in flatten(meant).items())


def _is_value(has: Any, meant: Any) -> bool:
    if isinstance(meant, list):
        return isinstance(has, tuple | list) and list(has) == meant and list(map(type, has)) == list(map(type, meant))
    if meant is None:
        return has is None or isinstance(has, bool | float)
    return has == meant and (type(has) is type(meant) or (type(has), type(meant)) == (float, int))


def printed(path: str, given: Any) -> str:
    value = given
    if path:
        flat = flatten(given)
        value = flat.get(path, given.get(path))
    if isinstance(value, bool) or value is None:
        return {True: "on", False: "off", None: "none"}[value]
    if isinstance(value, dict):
        return str(value["name"])
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated") / "sweeps"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.parent)
        yield folder / "made.yaml"


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(study=studies(FIELDS, choices=CHOICES, ranges=RANGES))
def test_what_is_trained_is_what_the_file_says_or_it_is_refused(study, file):
    ends_well = check(study, planned(study, file), lambda changes: meaning(study, changes), is_that, printed)
    event(f"{'planned' if ends_well else 'refused'}, {study.design}")


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(text=st.text("0123456789+-._eExoabnifltrusyNIT:", min_size=1, max_size=8))
def test_a_value_without_quotes_is_what_it_is_on_the_command_line(text):
    try:
        meant = OverridesParser.create().parse_override(f"x={text}").value()
    except HydraException:
        assume(False)
    found = plain_scalar(text)
    assert type(found) is type(meant)
    assert repr(found) == repr(meant)
