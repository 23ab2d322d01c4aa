"""A cohort that is cut off goes on from its checkpoint and ends bit for bit as if it had not been."""

import errno
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from ablate.images.config import SGD, Adam, FashionMNIST, LeNet, OneCycle, Train
from ablate.images.data import Images
from ablate.images.engine import train
from ablate.images.run import RunConfig
from ablate.task.checkpoint import Checkpoints, read_checkpoint, write_checkpoint
from ablate.task.record import Result, StopRule

CPU = torch.device("cpu")


class CutOffError(BaseException):
    """What happens to a process."""


class Cutting(Checkpoints):
    """Writes a checkpoint after so many safe points and then cuts the training off."""

    def __init__(self, folder: Path, after: int) -> None:
        super().__init__(folder, 0.0, tell=self.hear)
        self.left, self.troubles = after, list[str]()

    def is_due(self) -> bool:
        self.left -= 1
        return self.left == 0

    def hear(self, step: int, trouble: str) -> None:
        self.troubles += [trouble] if trouble else []
        if not trouble:
            raise CutOffError


def what_counts(results: list[Result]) -> str:
    rows = [(r.status, [(m.step, sorted(m.values.items())) for m in r.curves], r.guesses, r.error) for r in results]
    return repr(rows)


def cut_off(runs: list[RunConfig], images: Images, folder: Path, after: int, **options: Any) -> None:
    with pytest.raises(CutOffError):
        train(runs, images, device=CPU, checkpoints=Cutting(folder, after), **options)


def gone_on_with(runs: list[RunConfig], images: Images, folder: Path, **options: Any) -> list[Result]:
    never = Cutting(folder, 0)
    results = train(runs, images, device=CPU, checkpoints=never, **options)
    assert never.troubles == []
    return results


def relu(dropout: float) -> LeNet:
    return LeNet(activation="relu", activation_c5="relu", activation_f6="relu", dropout=dropout)


def lenet(seed: int = 0, epochs: int = 3, lr: float = 0.02, **fields: Any) -> RunConfig:
    data = FashionMNIST(train_size=1_000, protocol="holdout_test", val_size=100, flip=True)
    fields = {"model": relu(0.2), "optimizer": SGD(lr=lr, momentum=0.9), **fields}
    return RunConfig(data=data, train=Train(batch_size=300, epochs=epochs), seed=seed, **fields)


MIXED = [
    lenet(epochs=1),
    lenet(lr=1e6),  # diverges in the first epoch
    lenet(1, schedule=OneCycle()),
    lenet(1, epochs=2, model=relu(0.5)),
    lenet(2),
    lenet(3, epochs=3, lr=0.01),
]


STOPS = {5: StopRule("val_acc", "max", ((2, 1.1),))}


@pytest.fixture(scope="module")
def undisturbed(images: Images) -> list[Result]:
    return train(MIXED, images, device=CPU, stops=STOPS)


@pytest.mark.parametrize("after", [1, 3, 5, 8])
def test_it_ends_bit_for_bit_as_undisturbed(
    images: Images, tmp_path: Path, undisturbed: list[Result], after: int
) -> None:
    """Three safe points an epoch, the last between epochs: members have left, dropout and momentum are under way."""
    assert [r.status for r in undisturbed] == ["complete", "diverged", "complete", "complete", "complete", "stopped"]
    cut_off(MIXED, images, tmp_path, after, stops=STOPS)
    results = gone_on_with(MIXED, images, tmp_path, stops=STOPS)
    assert what_counts(results) == what_counts(undisturbed)
    assert results[4].notes["resumed"] == [after // 3]
    seconds = [m.seconds for r in results for m in r.curves]
    assert all(s > 0.0 for s in seconds)


class OwnNetwork(nn.Module):
    """Somebody's own: statistics, and random numbers from PyTorch's own generator."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 5, stride=3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        self.recurrent = nn.GRU(4, 8, batch_first=True)
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.features(x)
        if self.training:
            maps = nn.functional.dropout(maps, 0.2)
        found: torch.Tensor = self.head(self.recurrent(maps.unflatten(1, (4, -1)).transpose(1, 2))[0][:, -1])
        return found


def test_a_network_from_outside_with_numbers_of_its_own_goes_on(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no stacked form, and draws from PyTorch's generator, whose state is in the checkpoint, too."""
    monkeypatch.setattr("ablate.images.engine.cohort.build", lambda *_: OwnNetwork())
    data = FashionMNIST(train_size=1_000, shift=2)
    run = RunConfig(data=data, optimizer=Adam(lr=0.01), train=Train(batch_size=500, epochs=2, init="network"))
    torch.manual_seed(7)
    before = train([run], images, device=CPU)
    assert before[0].notes["stacked_reason"] == "recurrent: GRU has no stacked form"
    torch.manual_seed(7)
    cut_off([run], images, tmp_path, 3)
    torch.manual_seed(8)
    assert what_counts(gone_on_with([run], images, tmp_path)) == what_counts(before)


def test_another_cohort_begins_anew(images: Images, tmp_path: Path) -> None:
    runs = [lenet(epochs=2), lenet(1, epochs=2)]
    cut_off(runs, images, tmp_path, 4)
    for others in (runs[:1], runs[::-1]):
        assert "resumed" not in gone_on_with(others, images, tmp_path)[0].notes
    assert (
        "resumed"
        not in gone_on_with(runs, images, tmp_path, stops={0: StopRule("val_acc", "max", ((1, 0.0),))})[0].notes
    )
    kept = gone_on_with(runs, images, tmp_path, keep={"weights": tmp_path / "weights"})
    assert [result.status for result in kept] == ["complete", "complete"]
    assert "resumed" not in kept[0].notes
    assert gone_on_with(runs, images, tmp_path)[0].notes["resumed"] == [1]


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def of_another_version(file: Path) -> None:
    found, payload = read_checkpoint(file)
    about = {name: value for name, value in found.about.items() if name != "sha256"}
    write_checkpoint(file, {**about, "version": "0" * 64}, payload)


class Hostile:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("executed"),))


def hostile(file: Path) -> None:
    found, _ = read_checkpoint(file)
    about = {name: value for name, value in found.about.items() if name != "sha256"}
    write_checkpoint(file, about, pickle.dumps(Hostile()))


def of_other_shapes(file: Path) -> None:
    found, payload = read_checkpoint(file)
    about = {name: value for name, value in found.about.items() if name != "sha256"}
    tensors = load(payload)
    name = next(name for name in tensors if name.startswith("model."))
    write_checkpoint(file, about, save(tensors | {name: tensors[name][:1].contiguous()}))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (damage, "its digest is not that of its content"),
        (lambda file: file.write_bytes(file.read_bytes()[:-9]), "its digest is not that of its content"),
        (lambda file: file.write_bytes(b"\x80\x04 no checkpoint"), "it is no checkpoint"),
        (of_another_version, "it is of another version of the code"),
        (hostile, "SafetensorError"),
        (of_other_shapes, "is torch.float32"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_the_runs_begin_anew(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], Any], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [lenet(epochs=1), lenet(1, epochs=1)]
    cut_off(runs, images, tmp_path, 2)
    (file,) = tmp_path.glob("*.checkpoint")
    spoil(file)
    never = Cutting(tmp_path, 0)
    results = train(runs, images, device=CPU, checkpoints=never)
    (trouble,) = never.troubles
    assert trouble.startswith(f"{file}: is not used, and its runs begin anew: ")
    assert why in trouble
    assert "resumed" not in results[0].notes
    assert not list(tmp_path.glob("*"))  # nor was anything executed


def test_a_run_of_more_epochs_goes_on_from_the_end_of_a_shorter_one(images: Images, tmp_path: Path) -> None:
    """Bit for bit as in one go; where the schedule depends on the number of epochs, it begins anew."""
    folder = tmp_path / "checkpoints"
    kept = Checkpoints(folder, 600.0, keeps_states=True)
    short = [lenet(0, 2), lenet(1, 2, lr=0.01), lenet(2, 2, schedule=OneCycle())]
    longer = [RunConfig(**{**dict(run), "train": Train(batch_size=300, epochs=4)}) for run in short]
    assert [r.error for r in train(short, images, device=CPU, checkpoints=kept)] == [None] * 3
    assert len(list((tmp_path / "states").iterdir())) == 3
    results = train(longer[:2], images, device=CPU, checkpoints=kept)
    assert [r.notes["resumed"] for r in results] == [[2], [2]]
    # What was trained with a third member is that of a pair up to rounding; the pair's own is it bit for bit.
    in_one_go = train(longer[:2], images, device=CPU)
    assert [len(r.curves) for r in results] == [4, 4]
    for one, other in zip(results, in_one_go, strict=True):
        assert one.curves[-1].values["train_loss"] == pytest.approx(other.curves[-1].values["train_loss"], rel=1e-3)
    shutil.rmtree(tmp_path / "states")
    train(short[:2], images, device=CPU, checkpoints=kept)
    assert what_counts(train(longer[:2], images, device=CPU, checkpoints=kept)) == what_counts(in_one_go)
    assert "resumed" not in train(longer[2:], images, device=CPU, checkpoints=kept)[0].notes
    for file in (tmp_path / "states").iterdir():
        damage(file)
    told: list[str] = []
    damaged = Checkpoints(folder, 600.0, tell=lambda step, trouble: told.append(trouble))
    assert what_counts(train(longer[:2], images, device=CPU, checkpoints=damaged)) == what_counts(in_one_go)
    assert "its digest is not that of its content" in told[0]


def test_a_checkpoint_that_cannot_be_written_is_told_and_training_goes_on(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    runs = [lenet(epochs=1)]
    before = train(runs, images, device=CPU)
    monkeypatch.setattr("ablate.task.whole_files.os.fsync", full)
    cutting = Cutting(tmp_path, 2)
    results = train(runs, images, device=CPU, checkpoints=cutting)
    assert cutting.troubles == [f"a checkpoint cannot be written in {tmp_path}: No space left on device"]
    assert what_counts(results) == what_counts(before)
    assert not list(tmp_path.iterdir())


def test_one_is_due_after_its_time_or_sooner_where_the_worker_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, leaves = [0.0], [False]
    monkeypatch.setattr("ablate.task.checkpoint.time.monotonic", lambda: now[0])
    checkpoints = Checkpoints(tmp_path, 600.0, lambda: leaves[0])
    checkpoints.begin()

    def due(at: float) -> bool:
        now[0] = at
        return checkpoints.is_due()

    assert [due(at) for at in (1.0, 599.9, 600.2)] == [False, False, True]
    checkpoints.write("0" * 64, {"runs": ["0" * 64], "step": 1}, lambda: b"")
    assert not due(601.0)
    leaves[0] = True
    assert [due(at) for at in (609.0, 610.3)] == [False, True]
    checkpoints.end()
    assert not due(5_000.0)
    elsewhere = Checkpoints(tmp_path / "not shared" / "checkpoints", 0.0)
    elsewhere.begin()
    assert not elsewhere.is_due()
