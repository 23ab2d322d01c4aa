"""The loops that are timed really train, and the rivals train what they claim to."""

from itertools import islice

import pytest
import torch

from ablate.images.config import FashionMNIST
from ablate.images.data import load
from benchmarks.clock import Clock
from benchmarks.contenders import (
    EAGER,
    GROUPED,
    OURS,
    OURS_OWN,
    OURS_TRAIN,
    PEAK,
    TEXTBOOK,
    VMAP,
    Contender,
)
from benchmarks.hfta import fuse
from benchmarks.loops import initial, make
from benchmarks.machine import flop_per_sample, machine
from benchmarks.networks import NETWORKS
from benchmarks.profile import main as profile


@pytest.fixture(scope="module")
def images():
    torch.set_num_threads(1)
    return load(FashionMNIST(train_size=100), torch.device("cpu"))


def test_work_of_a_training_sample():
    # Products forward: 117,600 and 240,000 of the convolutions, 48,000, 10,080 and 840 of the linear layers.
    assert flop_per_sample() == 2 * (3 * 416_520 - 117_600)


def test_machine_names_hardware_and_versions():
    facts = machine()
    assert facts["cores"] >= 1
    assert facts["versions"]["torch"] == torch.__version__.partition("+")[0] or facts["versions"]["torch"]


@pytest.mark.parametrize("network", ["lenet", "two blocks"])
def test_the_stacked_rivals_train_what_the_eager_loop_trains(images, network):
    steps = 9  # more than an epoch of 100 images
    eager = make(Contender(EAGER, 16, network=network), images, 1.0)
    assert list(islice(eager.steps(), steps)) == [16, 16, 16, 16, 16, 16, 4, 16, 16]
    for loop in (VMAP, GROUPED):
        stacked = make(Contender(loop, 16, models=3, network=network), images, 1.0)
        assert list(islice(stacked.steps(), steps)) == [48, 48, 48, 48, 48, 48, 12, 48, 48]
        for name, parameter in eager.model.named_parameters():
            torch.testing.assert_close(stacked.parameters[name][0], parameter, rtol=1e-3, atol=1e-4)
            assert not torch.equal(stacked.parameters[name][1], stacked.parameters[name][0])
        torch.testing.assert_close(stacked.sums[:, 0], eager.sums, rtol=1e-3, atol=1e-3)


def test_the_textbook_loop_learns_to_guess_no_worse_than_the_prior(images):
    loop = make(Contender(TEXTBOOK, 16), images, 1.0)
    for _ in islice(loop.steps(), 30):
        pass
    assert 1.0 < loop.loss < 2.6


@pytest.mark.parametrize("network", NETWORKS)
def test_a_fused_network_answers_as_its_members_do(network):
    members = [initial(network, seed).eval() for seed in range(2)]
    x = torch.rand(3, 2, 1, 28, 28)
    answers = fuse(members)(x.flatten(1, 2))
    for k, member in enumerate(members):
        torch.testing.assert_close(answers[k], member(x[:, k]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("loop", [OURS, OURS_OWN])
def test_our_steps_are_counted_one_by_one_across_epochs(images, loop):
    cohort = make(Contender(loop, 16, models=2), images, 1.0)
    before = {name: p.clone() for name, p in cohort.cohort.parameters(0).items()}
    counted = []

    class Ten:
        done = False

        def tick(self, samples):
            counted.append(samples)
            self.done = len(counted) == 10
            return not self.done

    cohort.run(Ten())
    assert counted == [32, 32, 32, 32, 32, 32, 8, 32, 32, 32]
    assert any(not torch.equal(p, before[name]) for name, p in cohort.cohort.parameters(0).items())
    assert cohort.notes["batches"] == (1 if loop == OURS else 2)


def test_our_public_entry_counts_training_samples_alone(images):
    loop = make(Contender(OURS_TRAIN, 16, models=2), images, 0.001)
    clock = Clock(0.001, 0.0, 1)
    loop.run(clock)
    assert clock.samples == 2 * loop.train_size
    assert clock.elapsed > 0.0


def test_matrix_products_are_counted_in_operations(images):
    assert next(make(Contender(PEAK, 16), images, 1.0).steps()) == 2.0 * 2048**3


def test_unknown_loop(images):
    with pytest.raises(ValueError, match="no loop 'other'"):
        make(Contender("other", 16), images, 1.0)


def test_the_clock_leaves_the_lead_in_out():
    told = []
    clock = Clock(0.0, 0.0, 3, ready=lambda: told.append("ready"))
    assert [clock.tick(5) for _ in range(3)] == [True, True, True]
    assert told == ["ready"]
    assert clock.tick(7) is False
    assert (clock.samples, clock.done) == (7, True)


def test_the_profile_names_operations_and_their_shares(capsys):
    assert profile(["--batches", "16", "--models", "2", "--steps", "2", "--train-size", "64", "--top", "3"]) == 0
    printed = capsys.readouterr().out
    assert "batch 16, 2 models, shared order" in printed
    assert "everything else" in printed
