"""Parts from outside the package, as examples/network declares them."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch.nn import functional

from ablate.images.data import load
from ablate.images.engine import train
from ablate.images.engine.cohort import FusedCohort
from ablate.images.engine.further_metrics import made_metrics
from ablate.images.parts import code_of, part_class
from ablate.images.run import RunConfig, parse_run
from ablate.task.errors import ConfigError
from tests.images.engine.oracle import plain_run

CPU = torch.device("cpu")
EXAMPLE = Path(__file__).parents[3] / "examples" / "network"
OWN_PARTS = """
import torch
from ablate.images.data.arrays import Arrays
from ablate.images.parts import Augmentation, DeclaredData, ImageLoss

class Focal(ImageLoss):
    def __init__(self, gamma=2.0):
        self.gamma = float(gamma)

    def __call__(self, outputs, labels):
        p = outputs.softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
        return -((1 - p) ** self.gamma) * p.log()

class Dimmed(Augmentation):
    def __init__(self, least=0.5):
        self.least = least

    def draw(self, samples, generator):
        return self.least + (1 - self.least) * torch.rand(samples, generator=generator)

    def apply(self, images, drawn):
        return (images * drawn.view(-1, 1, 1, 1)).to(torch.uint8)

class Wrong(DeclaredData):
    name: str = "wrong"

    def read(self):
        import numpy as np
        images = np.zeros((4, 1, 28, 28), np.float32)
        return Arrays(images, np.array([0, 1, 0, 1]), images.astype(np.uint8), np.array([0, 1, 0, 7]), ("a", "b"))
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of the example with further parts, as the working folder."""
    folder = shutil.copytree(EXAMPLE, tmp_path / "project", ignore=shutil.ignore_patterns("results"))
    (folder / "further_parts.py").write_text(OWN_PARTS)
    with (folder / "pyproject.toml").open("a") as file:
        file.write('\n[tool.ablate.losses]\nfocal = "further_parts:Focal"\nnothing = "further_parts:Missing"\n')
        file.write('\n[tool.ablate.augmentations]\ndimmed = "further_parts:Dimmed"\n')
    text = (folder / "pyproject.toml").read_text()
    text = text.replace("[tool.ablate.datasets]", '[tool.ablate.datasets]\nwrong = "further_parts:Wrong"')
    (folder / "pyproject.toml").write_text(text)
    monkeypatch.chdir(folder)
    return folder


def run_of(seed=0, model=None, data=None, **settings) -> RunConfig:
    values = {
        "model": {"name": "small_resnet", "channels": 4} | (model or {}),
        "data": {"name": "photo_tiles", "train_size": 200} | (data or {}),
        "train": {"epochs": 1, "batch_size": 20, "init": "kaiming_uniform"} | settings.pop("train", {}),
        "optimizer": {"name": "sgd", "lr": 0.02},
    }
    return parse_run(values | settings).with_seed(seed)


def relative(a, b):
    return max(((a[n] - b[n]).norm() / b[n].norm().clamp(min=1e-12)).item() for n in a)


def after_steps(runs, images, steps):
    cohort = FusedCohort(runs, images, CPU)
    for _ in range(steps // cohort.batches.steps):
        cohort.train_epoch()
    return cohort.model.stacked, [{n: p.clone() for n, p in cohort.parameters(i).items()} for i in range(len(runs))]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("norm", [True, False])
def test_eight_of_somebodys_residual_networks_train_as_one_and_equal_their_single_runs(
    project, monkeypatch, norm, shared
):
    # With rectifiers rounding alone decides on which side of a kink a unit is, and one flip is more than 1e-4.
    part_class("networks", "small_resnet")
    import tiles.residual

    monkeypatch.setattr(tiles.residual, "F", SimpleNamespace(relu=functional.softplus))
    runs = [
        run_of(
            0 if shared else i // 2, {"norm": norm}, optimizer={"name": "sgd", "lr": 0.01 * (1 + i), "momentum": 0.5}
        )
        for i in range(8)
    ]
    assert len({run.cohort_key for run in runs}) == 1
    images = load(runs[0].data, CPU)
    stacked, together = after_steps(runs, images, 50)
    assert stacked
    for run, parameters in zip(runs, together, strict=True):
        _, (alone,) = after_steps([run], images, 50)
        assert relative(parameters, alone) < 1e-4


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_with_rectifiers_eight_equal_their_single_runs_and_somebodys_plain_loop_where_rounding_flips_no_unit(
    project, double
):
    # Rates that float32 holds exactly: coefficients are rounded to it.
    optimizers = [{"name": "sgd", "lr": (1 + i) / 64, "momentum": 0.5} for i in range(8)]
    settings = {"model": {"channels": 2}, "train": {"epochs": 5, "batch_size": 20}}
    runs = [run_of(i // 2, **settings, optimizer=o) for i, o in enumerate(optimizers)]
    images = load(runs[0].data, CPU)
    stacked, together = after_steps(runs, images, 50)
    assert stacked
    for run, parameters in zip(runs, together, strict=True):
        _, (alone,) = after_steps([run], images, 50)
        plain, _ = plain_run(run, images, 5)
        assert all(p.dtype == torch.float64 for p in [*parameters.values(), *alone.values(), *plain.values()])
        assert relative(parameters, alone) < 1e-9
        assert relative(parameters, plain) < 1e-9


def test_an_own_network_does_not_stack_where_its_shape_differs(project):
    assert run_of(model={"skip": True}).cohort_key != run_of(model={"skip": False}).cohort_key


@pytest.mark.parametrize("name", ["f1", "balanced_acc", "top5"])
def test_further_metrics_agree_with_scikit_learn(name):
    generator = torch.Generator().manual_seed(3)
    outputs = torch.randn(2, 300, 7, generator=generator)
    labels = torch.randint(0, 7, (2, 300), generator=generator)
    metric = made_metrics([name])[name]
    parts = [metric.count(outputs[:, i : i + 100], labels[:, i : i + 100]) for i in (0, 100, 200)]
    values = metric.value(sum(parts)).tolist()
    for member, value in enumerate(values):
        true, scores = labels[member].numpy(), outputs[member].numpy()
        expected = {
            "f1": lambda true=true, scores=scores: sk.f1_score(true, scores.argmax(1), average="macro"),
            "balanced_acc": lambda true=true, scores=scores: sk.balanced_accuracy_score(true, scores.argmax(1)),
            "top5": lambda true=true, scores=scores: sk.top_k_accuracy_score(true, scores, k=5, labels=range(7)),
        }[name]()
        assert value == pytest.approx(expected, abs=1e-12)


def test_own_metrics_are_measured_beside_further_ones_and_know_what_guessing_scores(project):
    run = run_of(train={"epochs": 1, "batch_size": 20, "metrics": ["worst_recall", "f1"]})
    (result,) = train([run], load(run.data, CPU), device=CPU)
    assert result.status == "complete"
    assert {"test_worst_recall", "test_f1"} <= set(result.curves[-1].values)
    assert result.guesses["test_worst_recall"].value == 0.0


def test_an_own_loss_with_gamma_zero_is_cross_entropy(project):
    focal, plain = run_of(train={"loss": "focal", "loss_options": {"gamma": 0}}), run_of()
    images = load(plain.data, CPU)
    (a,), (b,) = train([focal], images, device=CPU), train([plain], images, device=CPU)
    assert a.last("train_loss") == pytest.approx(b.last("train_loss"), rel=1e-4)
    sharper = train([run_of(train={"loss": "focal", "loss_options": {"gamma": 2}})], images, device=CPU)[0]
    assert sharper.last("train_loss") < 0.8 * b.last("train_loss")


def test_focal_loss_is_the_formula_of_its_paper(project):
    from ablate.images.parts import made_loss

    outputs, labels = torch.randn(1, 5, 3), torch.tensor([[0, 1, 2, 1, 0]])
    loss = made_loss(run_of(train={"loss": "focal", "loss_options": {"gamma": 2}}).train)(outputs, labels)
    ce = functional.cross_entropy(outputs[0], labels[0], reduction="none")
    np.testing.assert_allclose(loss[0], (1 - (-ce).exp()) ** 2 * ce, rtol=1e-5)


def test_an_own_augmentation_does_nothing_at_its_neutral_setting_and_something_else(project):
    images = load(run_of().data, CPU)
    losses = [
        train([run_of(data={"augment": augment})], images, device=CPU)[0].last("train_loss")
        for augment in ({}, {"dimmed": {"least": 1.0}}, {"dimmed": {"least": 0.2}})
    ]
    assert losses[0] == losses[1] != losses[2]


def test_the_identity_of_a_run_follows_the_code_of_its_network_and_of_nothing_else(project):
    before = code_of("networks", "small_resnet").identity
    (project / "README.md").write_text("something else\n")
    (project / "tiles" / "unrelated.py").write_text("X = 1\n")
    assert code_of("networks", "small_resnet").identity == before
    source = project / "tiles" / "residual.py"
    source.write_text(source.read_text().replace("F.relu(out if", "F.gelu(out if"))
    assert code_of("networks", "small_resnet").identity != before
    assert code_of("networks", "lenet") is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": {"name": "small_resnext"}}, "there is no such network"),
        ({"model": {"channels": 0}}, "model.channels = 0"),
        ({"model": {"chanels": 4}}, "model.chanels"),
        ({"data": {"name": "photo_tile"}}, "there is no such dataset"),
        ({"train": {"loss": "focal", "loss_options": {"beta": 1}}}, "beta"),
        ({"train": {"loss": "focal", "loss_options": {"gamma": "much"}}}, "much"),
        ({"train": {"loss": "nothing"}}, "Missing"),
        ({"train": {"loss": "vocal"}}, "vocal"),
        ({"train": {"metrics": ["worst_recal"]}}, "worst_recal"),
        ({"train": {"metrics": ["f1", "f1"]}}, "named twice"),
        ({"data": {"augment": {"dimmed": {"most": 1}}}}, "most"),
        ({"data": {"augment": {"dim": {}}}}, "dim"),
    ],
)
def test_what_a_part_cannot_be_is_one_clear_message(project, settings, message):
    with pytest.raises(ConfigError, match=message):
        run_of(**settings)


def test_arrays_that_are_not_what_training_relies_on_are_named_together(project):
    with pytest.raises(ConfigError) as caught:
        load(parse_run({"data": {"name": "wrong"}}).data, CPU)
    text = str(caught.value)
    assert "float32" in text
    assert "from 0 to 7" in text
