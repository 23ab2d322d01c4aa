"""From settings to command lines: an independent parser, argparse, reads back what was meant."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.program.template import Template
from ablate.task.errors import ConfigError

VALUES = {"optimizer": {"lr": 0.1, "name": "sgd"}, "layers": [8, 16], "bias": True, "deep": False, "note": None}
RESERVED = {"seed": "3", "folder": "/tmp/x", "project": "/p"}


def test_placeholders():
    template = Template(["train", "--lr={optimizer.lr}", "{layers}", "{{{seed}}}", "{bias}", "{folder}/out"])
    assert template.words(VALUES, RESERVED) == ["train", "--lr=0.1", "8", "16", "{3}", "true", "/tmp/x/out"]
    assert Template(["a", "{optimizer.lr}"], environment={"SEED": "s{seed}"}).variables(VALUES, RESERVED) == {
        "SEED": "s3"
    }


def test_flags_for_what_is_named_nowhere_else():
    template = Template(["train", "--lr", "{optimizer.lr}"], "--{name} {value}")
    assert template.words(VALUES, RESERVED) == [
        *("train", "--lr", "0.1", "--optimizer.name", "sgd", "--layers", "8", "16", "--bias")
    ]
    both = Template(["t"], "--{leaf}={value}", "on-off")
    assert both.words({"a_b": {"c": 1}, "bias": True, "deep": False}, RESERVED) == ["t", "--c=1", "--bias", "--no-deep"]
    spelt = Template(["t"], "--{dashed} {value}", "value")
    assert spelt.words({"a_b": True}, RESERVED) == ["t", "--a-b", "true"]


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (
            Template(["t", "{optimiser.lr}"], "--{name} {value}"),
            "there is no field 'optimiser.lr'; fields are",
        ),
        (Template(["t", "{}"], "--{name} {value}"), "command: '{}': a placeholder is a field's name in braces"),
        (Template(["t", '{"a": 1}'], "--{name} {value}"), "a placeholder is a field's name in braces"),
        (Template(["t", "{a"], "--{name} {value}"), "expected '}' before end of string"),
        (Template(["t", "{optimizer.lr:.2f}"], "--{name} {value}"), "a placeholder is a field's name"),
        (Template(["t"], "--{nam} {value}"), "there is no {nam}; allowed are name, dashed, leaf, value"),
        (Template(["t"], "--{name}"), "must have {value} as a word of its own"),
        (Template(["t", "{optimizer}", "{layers}", "{bias}", "{deep}"]), "note: reaches the program nowhere"),
        (Template(["t"], environment={"X": "{nothing}"}), "environment.X: '{nothing}': there is no field 'nothing'"),
    ],
)
def test_what_is_wrong_whatever_the_setting(template, problem):
    assert any(problem in found for found in template.problems(VALUES)), template.problems(VALUES)


def test_reserved_names():
    assert Template(["t", "{folder}"]).problems({"folder": 1}) == [
        "defaults.folder: is what {folder} stands for; choose another name"
    ]


@pytest.mark.parametrize("word", ["{note}", "x{layers}", "{optimizer}"])
def test_values_without_a_text(word):
    with pytest.raises(ConfigError, match="has no text that a program could be given here"):
        Template(["t", word]).words(VALUES, RESERVED)


@given(
    lr=st.floats(allow_nan=False, allow_infinity=False),
    name=st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])),
    sizes=st.lists(st.integers()),
    bias=st.booleans(),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_program_reads_what_was_meant(lr, name, sizes, bias, seed):
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--name")
    parser.add_argument("--sizes", type=int, nargs="*")
    parser.add_argument("--bias", action=argparse.BooleanOptionalAction)
    parser.add_argument("--seed", type=int)
    template = Template(["--seed={seed}", "--name={name}"], "--{name} {value}", "on-off")
    values = {"lr": abs(lr), "name": name, "sizes": [abs(size) for size in sizes], "bias": bias}
    read = parser.parse_args(template.words(values, {"seed": str(seed)}))
    assert vars(read) == values | {"seed": seed}
