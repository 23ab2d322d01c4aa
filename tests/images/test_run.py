import json
import re
import subprocess
import sys

import pytest
import torch
from torch import nn

from ablate.images.config import AlexNet, LeNet
from ablate.images.config.layers import convolved, pooled
from ablate.images.run import RunConfig, parse_run
from ablate.task.errors import ConfigError


def problems(values):
    with pytest.raises(ConfigError) as caught:
        parse_run(values)
    return caught.value.problems


def test_the_defaults_are_the_article_s_baseline():
    run = RunConfig()
    assert (run.optimizer.lr, run.train.batch_size, run.train.epochs) == (0.9, 256, 10)
    assert (run.model.activation, run.model.pooling, run.model.kernel_size, run.model.pool_size) == (
        "sigmoid",
        "avg",
        5,
        2,
    )
    assert run.data.protocol == "article"


def test_every_problem_is_reported_at_once_with_place_value_and_what_is_allowed():
    found = problems(
        {
            "optimizer": {"name": "sgd", "lr": "fast"},
            "train": {"epochs": 0, "momentum": 1},
            "data": {"name": "mnist", "protocol": "cheat"},
        }
    )
    assert found == [
        "data.protocol = 'cheat': input should be 'article', 'holdout' or 'holdout_test'",
        "optimizer.lr = 'fast': input should be a valid number",
        "train.epochs = 0: input should be greater than or equal to 1",
        "train.momentum: there is no such field",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train": {"epochs": True}}, "train.epochs = True"),
        ({"train": {"epochs": 2.5}}, "train.epochs = 2.5"),
        ({"train": {"epochs": "2"}}, "train.epochs = '2'"),
        ({"optimizer": {"name": "sgd", "lr": float("nan")}}, "optimizer.lr = nan"),
        ({"optimizer": {"name": "sgd", "lr": -0.1}}, "optimizer.lr = -0.1"),
        ({"optimizer": {"name": "sgd", "nesterov": True}}, "nesterov = True: needs a momentum above 0"),
        ({"optimizer": {"name": "lion"}}, "'sgd', 'adagrad', 'adam', 'adamw', 'rmsprop'"),
        ({"seed": -1}, "seed = -1"),
        (
            {"model": {"name": "lenet", "pooling": "stochastic", "activation": "tanh"}},
            "some of which activation = tanh makes negative; allowed with it are sigmoid, relu",
        ),
        ({"_target_": "os.system"}, "_target_: there is no such field"),
        ({"data": {"name": "image_folder"}}, "root: an image_folder needs the folder"),
        ({"data": {"name": "mnist", "train_size": 60_001}}, "at most the 60000"),
        ({"data": {"name": "mnist", "protocol": "holdout", "train_size": 500}}, "below the 500 training images"),
        ({"train": {"loss": "mse", "label_smoothing": 0.1}}, "needs loss = cross_entropy"),
    ],
)
def test_bad_values_are_refused_and_never_converted(values, message):
    assert message in "\n".join(problems(values))


def test_a_feature_map_that_shrinks_to_nothing_is_refused_with_layer_and_sizes():
    (line,) = problems({"model": {"name": "lenet", "kernel_size_2": 15}})
    assert line.startswith("model.conv2 (15x15): its input of 14x14 leaves an output of 0x0")
    assert "conv1 (11x11)" not in line
    (line,) = problems({"model": {"name": "alexnet", "form": "torchvision"}})
    assert "leaves an output of 0x0" in line


def test_an_alexnet_s_form_settles_what_is_left_open():
    assert (AlexNet(form="paper").lrn, AlexNet(form="paper").overlap, AlexNet(form="paper").dropout) == (
        True,
        True,
        0.5,
    )
    assert (AlexNet().lrn, AlexNet().overlap, AlexNet().dropout) == (False, False, 0.25)
    assert AlexNet(lrn=True).lrn
    assert [size for _, size, _ in AlexNet().feature_maps(28, 28)] == [28, 14, 14, 7, 7, 7, 7, 4]


def test_the_digest_covers_what_changes_a_result_and_nothing_else():
    run = RunConfig()
    assert re.fullmatch("[0-9a-f]{64}", run.digest)
    same = parse_run({"data": {"name": "fashion_mnist", "root": "/elsewhere"}, "train": {"compile": "off"}})
    assert same.digest == run.digest
    changed = [
        {"seed": 1},
        {"optimizer": {"name": "sgd", "lr": 0.8}},
        {"train": {"epochs": 11}},
        {"train": {"precision": "bf16"}},
        {"data": {"name": "mnist"}},
        {"data": {"name": "fashion_mnist", "protocol": "holdout"}},
        {"model": {"name": "lenet", "activation_f6": "tanh"}},
        {"schedule": {"name": "cosine"}},
    ]
    digests = {parse_run(values).digest for values in changed}
    assert len(digests) == len(changed)
    assert run.digest not in digests
    assert json.loads(json.dumps(run.identity)) == run.identity


def test_the_digest_does_not_depend_on_the_process_or_the_spelling():
    code = "from ablate.images.run import parse_run; print(parse_run({'optimizer': {'lr': 1, 'name': 'sgd'}}).digest)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == parse_run({"optimizer": {"name": "sgd", "lr": 1.0}}).digest


def test_runs_share_a_trajectory_when_one_is_the_prefix_of_the_other():
    def run(schedule, epochs):
        return parse_run({"schedule": {"name": schedule}, "train": {"epochs": epochs}})

    for schedule, shared in {
        "constant": True,
        "step": True,
        "warmup": True,
        "cosine": False,
        "one_cycle": False,
    }.items():
        assert (run(schedule, 10).trajectory == run(schedule, 100).trajectory) is shared
    assert run("constant", 10).trajectory != run("step", 10).trajectory


def test_members_of_a_cohort_differ_in_numbers_only():
    run = RunConfig()
    together = [
        {"seed": 4},
        {"optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}},
        {"schedule": {"name": "one_cycle"}},
        {"train": {"epochs": 3, "label_smoothing": 0.1, "init": "default"}},
    ]
    apart = [
        {"train": {"batch_size": 128}},
        {"optimizer": {"name": "adam"}},
        {"model": {"name": "lenet", "kernel_size": 3}},
        {"model": {"name": "lenet", "dropout": 0.5}},
        {"data": {"name": "fashion_mnist", "normalize": True}},
        {"train": {"precision": "bf16"}},
    ]
    assert {parse_run(values).cohort_key for values in together} == {run.cohort_key}
    assert run.cohort_key not in {parse_run(values).cohort_key for values in apart}
    dropouts = {parse_run({"model": {"name": "lenet", "dropout": p}}).cohort_key for p in (0.2, 0.5)}
    assert len(dropouts) == 1


def test_a_setting_with_another_seed():
    run = parse_run({"model": {"name": "lenet", "channels": [8, 16]}})
    assert run.model == LeNet(channels=(8, 16))
    assert run.with_seed(0).digest == run.digest
    assert run.with_seed(5) == parse_run({"model": {"name": "lenet", "channels": [8, 16]}, "seed": 5})


@pytest.mark.parametrize("window", [1, 2, 3])
@pytest.mark.parametrize("ceil", [True, False])
def test_the_arithmetic_of_feature_maps_is_torch_s(window, ceil):
    for size in range(window, 40):
        expected = nn.MaxPool2d(window, 2, ceil_mode=ceil)(torch.zeros(1, 1, size, size)).shape[2:]
        assert pooled((size, size), window, 2, ceil) == tuple(expected)
        for padding in (0, 2):
            out = nn.Conv2d(1, 1, window, 4, padding)(torch.zeros(1, 1, size, size)).shape[2:]
            assert convolved((size, size), window, 4, padding) == tuple(out)
