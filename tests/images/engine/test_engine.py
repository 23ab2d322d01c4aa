"""The engine's loop: members that leave, faults, prefixes, and an epoch without a look at the device."""

import math
from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ablate.images.config import SGD, Adam, AlexNet, Constant, FashionMNIST, LeNet, OneCycle, Train
from ablate.images.data import Images
from ablate.images.engine import cohort as cohort_module
from ablate.images.engine import train
from ablate.images.engine.cohort import FusedCohort
from ablate.images.run import RunConfig
from ablate.task.record import Result

CPU = torch.device("cpu")


def run_of(data: FashionMNIST, seed: int = 0, epochs: int = 2, lr: float = 0.5, **settings: Any) -> RunConfig:
    train_ = Train(batch_size=200, epochs=epochs)
    return RunConfig(data=data, optimizer=SGD(lr=lr), train=train_, seed=seed, **settings)


def same_curves(a: Result, b: Result) -> None:
    assert (a.status, len(a.curves)) == (b.status, len(b.curves))
    for mine, theirs in zip(a.curves, b.curves, strict=True):
        assert mine.step == theirs.step
        assert mine.values["train_loss"] == pytest.approx(theirs.values["train_loss"], rel=1e-4)
        assert mine.values["test_loss"] == pytest.approx(theirs.values["test_loss"], rel=1e-4)
        assert mine.values["test_acc"] == pytest.approx(theirs.values["test_acc"], abs=0.01)


def test_results_come_in_the_order_of_the_configurations(data: FashionMNIST, images: Images) -> None:
    tanh = LeNet(activation="tanh")
    configs = [run_of(data, 1), run_of(data, 0, model=tanh), run_of(data, 0, lr=0.1), run_of(data, 1, model=tanh)]
    calls = []
    results = train(configs, images, device=CPU, on_epoch=lambda epoch, members: calls.append((epoch, members)))
    assert [r.notes["cohort"] for r in results] == [2, 2, 2, 2]
    assert {(e, tuple(sorted(m))) for e, m in calls} == {(1, (0, 2)), (2, (0, 2)), (1, (1, 3)), (2, (1, 3))}
    for config, result in zip(configs, results, strict=True):
        (single,) = train([config], images, device=CPU)
        same_curves(result, single)


def test_what_runs_have_measured_so_far_is_told_before_the_first_epoch_ends_and_after_each(
    data: FashionMNIST, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablate.images.engine.interim.FIRST_SECONDS", 0.0)
    monkeypatch.setattr("ablate.images.engine.interim.AGAIN_SECONDS", 1000.0)
    configs = [run_of(data, seed).model_copy(update={"train": Train(batch_size=20, epochs=2)}) for seed in (1, 0)]
    told: list[tuple[str, dict[int, float]]] = []
    results = train(configs, images, device=CPU, on_interim=lambda metric, values: told.append((metric, dict(values))))
    assert [metric for metric, _ in told] == ["train_acc", "test_acc", "test_acc"]
    for epoch, (_, values) in enumerate(told[1:]):
        assert values == {i: result.curves[epoch].values["test_acc"] for i, result in enumerate(results)}
    # After two batches of 20: a multiple of a 40th, of each member in its own place.
    cohort = FusedCohort(configs, images, CPU)
    means = cohort.train_epoch(steps=2)[1] * cohort.batches.samples / 40
    assert [told[0][1][i] for i in cohort.members] == pytest.approx(means.tolist())
    for told_result, untold in zip(results, train(configs, images, device=CPU), strict=True):
        assert told_result.curves[-1].values == untold.curves[-1].values


def test_one_diverges_one_raises_one_leaves_early_and_seven_go_on(
    data: FashionMNIST, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    relu = LeNet(activation="relu", activation_c5="relu", activation_f6="relu")
    configs = [run_of(data, seed, lr=0.01 * (1 + seed), model=relu) for seed in range(10)]
    configs[2] = run_of(data, 2, lr=1e6, model=relu)
    configs[5] = run_of(data, 5, epochs=1, model=relu)
    singles = [train([config], images, device=CPU)[0] for config in configs]

    original = cohort_module.factors

    def raising(schedule: Any, epoch: int, steps: int, epochs: int) -> list[float]:
        if isinstance(schedule, OneCycle) and epoch == 1:
            raise RuntimeError("injected")
        return original(schedule, epoch, steps, epochs)

    monkeypatch.setattr(cohort_module, "factors", raising)
    configs[7] = configs[7].model_copy(update={"schedule": OneCycle()})
    assert len({config.cohort_key for config in configs}) == 1
    results = train(configs, images, device=CPU)

    assert [r.status for r in results] == ["complete"] * 2 + ["diverged"] + ["complete"] * 4 + ["failed"] + [
        "complete"
    ] * 2
    assert len(results[2].curves) == 1
    assert not math.isfinite(results[2].curves[0].values["train_loss"])
    assert len(results[5].curves) == 1
    assert results[7].error is not None
    assert "RuntimeError: injected" in results[7].error
    assert len(results[7].curves) == 1
    for i in (0, 1, 3, 4, 5, 6, 8, 9):
        same_curves(results[i], singles[i])


def test_without_a_fault_members_leave_one_cohort(data: FashionMNIST, images: Images) -> None:
    relu = LeNet(activation="relu", activation_c5="relu", activation_f6="relu")
    configs = [run_of(data, i % 2, epochs=1 + i % 3, lr=1e6 if i == 3 else 0.02, model=relu) for i in range(6)]
    results = train(configs, images, device=CPU)
    assert [len(r.curves) for r in results] == [1, 2, 3, 1, 2, 3]
    assert [r.status for r in results] == ["complete"] * 3 + ["diverged"] + ["complete"] * 2
    assert {r.notes["cohort"] for r in results} == {6}
    for i in (2, 5):
        same_curves(results[i], train([configs[i]], images, device=CPU)[0])


def test_running_out_of_memory_halves_the_cohort(
    data: FashionMNIST, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = FusedCohort.train_epoch

    def greedy(self: FusedCohort, *how: object) -> torch.Tensor:
        if len(self.members) > 3:
            raise torch.OutOfMemoryError("injected")
        return original(self, *how)

    monkeypatch.setattr(FusedCohort, "train_epoch", greedy)
    results = train([run_of(data, lr=0.1 * i, epochs=1) for i in range(6)], images, device=CPU)
    assert [(r.status, r.notes["cohort"]) for r in results] == [("complete", 3)] * 6
    assert results[0].notes["apart"] == "OutOfMemoryError in a cohort of 6"


def test_what_on_epoch_raises_is_passed_on(data: FashionMNIST, images: Images) -> None:
    def stop(epoch: int, members: list[int]) -> None:
        raise LookupError("stop")

    with pytest.raises(LookupError, match="stop"):
        train([run_of(data)] * 2, images, device=CPU, on_epoch=stop)


def test_a_short_run_is_the_prefix_of_a_longer_one(data: FashionMNIST, images: Images) -> None:
    model = LeNet(dropout=0.2)
    few = Images(
        **{**vars(images), "train_images": images.train_images[:200], "train_labels": images.train_labels[:200]}
    )
    short, long = run_of(data, 3, epochs=10, model=model), run_of(data, 3, epochs=14, model=model)
    assert short.trajectory == long.trajectory
    (alone,), (longer,) = train([short], few, device=CPU), train([long], few, device=CPU)
    together = train([short, long], few, device=CPU)
    metrics = [
        (e.values["train_loss"], e.values["train_acc"], e.values["test_loss"], e.values["test_acc"])
        for e in longer.curves
    ]
    assert [
        (e.values["train_loss"], e.values["train_acc"], e.values["test_loss"], e.values["test_acc"])
        for e in alone.curves
    ] == metrics[:10]
    same_curves(together[0], alone)
    same_curves(together[1], longer)


def test_held_out_images_are_those_of_each_members_split(images: Images) -> None:
    data = FashionMNIST(train_size=1_000, protocol="holdout", val_size=300)
    configs = [run_of(data, seed, epochs=1) for seed in (0, 0, 1)]
    results = train([*configs, run_of(data, 2, epochs=1)], images, device=CPU)
    for config, result in zip(configs, results, strict=False):
        (epoch,), (single,) = result.curves, train([config], images, device=CPU)[0].curves
        assert epoch.values.get("test_loss") is None
        assert epoch.values.get("test_acc") is None
        assert epoch.values["val_loss"] == pytest.approx(single.values["val_loss"], rel=1e-5)
        assert (epoch.values["train_loss"], epoch.values["val_acc"]) == pytest.approx(
            (single.values["train_loss"], single.values["val_acc"]), rel=1e-5
        )


def test_bf16_trains_the_same_in_company(data: FashionMNIST, images: Images) -> None:
    run = RunConfig(data=data, optimizer=SGD(lr=0.5), train=Train(batch_size=200, epochs=1, precision="bf16"))
    configs = [run, run.model_copy(update={"optimizer": SGD(lr=0.1)}), run.model_copy(update={"seed": 1})]
    results = train(configs, images, device=CPU)
    assert all(r.status == "complete" for r in results)
    full = train([run.model_copy(update={"train": Train(batch_size=200, epochs=1)})], images, device=CPU)[0]
    assert results[0].curves[0].values["train_loss"] == pytest.approx(full.curves[0].values["train_loss"], rel=0.02)


MODELS = [LeNet(dropout=0.2), AlexNet(form="small", lrn=True)]


@pytest.mark.parametrize("model", MODELS, ids=["lenet", "alexnet"])
def test_an_epoch_runs_through_on_the_meta_device(model: LeNet | AlexNet, images: Images, data: FashionMNIST) -> None:
    """No tensor of another device slips in, no value is read back: on ``meta`` either would raise."""
    meta = torch.device("meta")
    moved = Images(**{k: v.to(meta) if isinstance(v, torch.Tensor) else v for k, v in vars(images).items()})
    data = data.model_copy(update={"normalize": True, "protocol": "holdout_test", "val_size": 100})
    configs = [run_of(data, seed, lr=0.1, model=model) for seed in (0, 0, 1, 1)]
    cohort = FusedCohort([c.model_copy(update={"optimizer": Adam()}) for c in configs], moved, meta)
    for metrics in (cohort.train_epoch(), cohort.validate(), cohort.test()):
        assert metrics is not None
        assert (metrics.device.type, tuple(metrics.shape)) == ("meta", (2, 4))
    cohort.keep([0, 2, 3])
    assert cohort.train_epoch().shape == (2, 3)


class Operations(TorchDispatchMode):
    """Counts every operation by name."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def test_nothing_is_read_back_within_an_epoch(data: FashionMNIST, images: Images) -> None:
    configs = [run_of(data, seed, lr=lr, model=LeNet(dropout=0.2)) for seed in (0, 1) for lr in (0.1, 0.2)]
    cohort = FusedCohort(configs, images, CPU)
    with Operations() as operations:
        cohort.train_epoch()
        cohort.test()
    assert operations.counts["addcmul_"] > 0
    assert not {"_local_scalar_dense", "nonzero", "item", "is_nonzero", "equal"} & set(operations.counts)


def test_a_schedule_may_be_zero_and_a_rate_too(data: FashionMNIST, images: Images) -> None:
    """The article's Fig. 11 starts at a learning rate of 0: nothing moves, nothing breaks."""
    config = RunConfig(data=data, optimizer=SGD(lr=0.0), schedule=Constant(), train=Train(batch_size=500, epochs=1))
    cohort = FusedCohort([config], images, CPU)
    before = {name: value.clone() for name, value in cohort.parameters(0).items()}
    cohort.train_epoch()
    assert all(torch.equal(before[name], value) for name, value in cohort.parameters(0).items())


def test_a_model_that_cannot_be_stacked_is_trained_member_by_member(
    data: FashionMNIST, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Turned(nn.Module):
        """Mixes samples, and members with them where these are only more samples."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flip(0)

    def build(*_: Any) -> nn.Module:
        maps = [nn.Conv2d(1, 4, 5, 2), nn.ReLU(), nn.Dropout(0.1), nn.Flatten()]
        return nn.Sequential(*maps, nn.Linear(4 * 12 * 12, 8), Turned(), nn.Linear(8, 10))

    monkeypatch.setattr(cohort_module, "build", build)
    configs = [run_of(data, seed, epochs=1, lr=0.1, model=LeNet(dropout=0.1)) for seed in (0, 1)]
    results = train(configs, images, device=CPU)
    for config, result in zip(configs, results, strict=True):
        assert result.status == "complete"
        assert (result.notes["cohort"], result.notes["stacked"]) == (1, True)
        assert result.notes["apart"].startswith("stacked outputs differ from the members' own")
        assert result.curves[0].values["train_loss"] == train([config], images, device=CPU)[0].curves[0].values.get(
            "train_loss"
        )
