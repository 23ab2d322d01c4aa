from pathlib import Path

import pytest

from ablate.plan.compose import sources
from ablate.plan.plan import make_plan
from ablate.plan.sources import study_names
from ablate.task.errors import ConfigError

ROOT = Path(__file__).parents[2]


def plan(*arguments):
    return make_plan(sources(arguments))


def levels(found, factor):
    return list(dict.fromkeys(p.setting.level for p in found.points if p.setting.factor == factor))


def problems(*arguments):
    with pytest.raises(ConfigError) as caught:
        plan(*arguments)
    return "\n".join(caught.value.problems)


def write(folder, name, text):
    (folder / "sweeps").mkdir(exist_ok=True)
    (folder / "sweeps" / f"{name}.yaml").write_text(text)


def test_every_study_file_and_every_option_composes():
    assert set(study_names()) == {
        p.relative_to(ROOT / "sweeps").with_suffix("").as_posix() for p in (ROOT / "sweeps").rglob("*.yaml")
    }
    for name in study_names():
        planned = plan(f"sweeps={name}")
        assert planned.runs or any(study.search is not None for study in planned.studies), name
    for file in (ROOT / "conf").rglob("*/*.yaml"):
        needs = {"image_folder": [f"data.root={ROOT / 'conf'}"]}.get(file.stem, [])
        large = ["data.image_size=224"] if file.stem.endswith(("_paper", "_merged", "_torchvision", "_large")) else []
        if not needs:
            assert len(plan(f"{file.parent.name}={file.stem}", *large).runs) == 1, file


def test_the_article_s_studies_have_its_levels_and_share_the_baseline():
    found = plan("sweeps=lenet_article")
    assert levels(found, "optimizer.lr") == [round(i / 10, 1) for i in range(18)]
    assert levels(found, "train.batch_size") == [2**i for i in range(1, 11)]
    assert levels(found, "train.epochs") == [10, 50, 100]
    # 18 rates; 9 batch sizes, 2 lengths, 2 activations, 1 pooling, 2 kernels, 2 pooling sizes, 2 combinations more.
    assert len(found.runs) == (18 + 9 + 2 + 2 + 1 + 2 + 2 + 2) * 10
    baseline = {p.run.digest for p in found.points if p.setting.is_baseline and p.run.seed == 0}
    assert len(baseline) == 1
    assert len({p.study.name for p in found.points if p.run.digest in baseline}) == 8


def test_the_baseline_becomes_a_level_in_its_place():
    assert levels(plan("sweeps=lr", "optimizer.lr=0.1,2"), "optimizer.lr") == [0.1, 0.9, 2.0]
    assert levels(plan("sweeps=pooling", "model.pooling=max,mixed"), "model.pooling") == ["avg", "max", "mixed"]


def test_the_command_line_beats_the_file():
    found = plan("sweeps=lr", "study.seeds=2", "train.epochs=3")
    assert {p.run.seed for p in found.points} == {0, 1}
    assert {p.run.train.epochs for p in found.points} == {3}
    assert {p.run.seed for p in plan("sweeps=lr", "seed=7,9").points} == {7, 9}
    assert {p.run.seed for p in plan("sweeps=lr", "seed=7").points} == {7}


def test_a_further_sweep_is_a_further_factor():
    found = plan("sweeps=pooling", "train.batch_size=16,256")
    assert levels(found, "train.batch_size") == [16, 256]
    assert levels(found, "model.pooling") == ["avg", "max"]


def test_a_plain_multirun_is_a_grid_of_just_what_was_asked():
    found = plan("optimizer.lr=0.5,0.7", "train.epochs=1,2", "seed=range(0,3)")
    assert len(found.runs) == 12
    assert {p.run.optimizer.lr for p in found.points} == {0.5, 0.7}
    assert len(plan("seed=3").runs) == 1


def test_a_configuration_group_is_a_factor():
    found = plan("optimizer=sgd,adam", "train.epochs=1")
    assert {p.run.optimizer.name for p in found.points} == {"sgd", "adam"}
    assert {p.run.train.epochs for p in found.points} == {1}


def test_leave_one_out_switches_components_off_one_by_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path,
        "parts",
        """
model: {dropout: 0.25}
optimizer: {lr: 0.1, momentum: 0.9}
study:
  design: leave-one-out
  seeds: 2
  factors: {model.dropout: 0.0, optimizer.momentum: 0.0}
""",
    )
    found = plan("sweeps=parts")
    settings = {p.setting.label: (p.run.model.dropout, p.run.optimizer.momentum) for p in found.points}
    assert settings == {
        "nothing (baseline)": (0.25, 0.9),
        "dropout": (0.0, 0.9),
        "momentum": (0.25, 0.0),
        "all of them": (0.0, 0.0),
    }
    assert [p.setting.label for p in found.points if p.setting.is_baseline] == ["nothing (baseline)"] * 2


def test_the_user_s_own_studies_come_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "lr", "study: {factors: {optimizer.lr: [0.25]}, seeds: 1}\n")
    assert levels(plan("sweeps=lr"), "optimizer.lr") == [0.25, 0.9]
    (tmp_path / "conf" / "optimizer").mkdir(parents=True)
    (tmp_path / "conf" / "optimizer" / "gentle.yaml").write_text("name: sgd\nlr: 0.01\n")
    assert plan("optimizer=gentle").runs[0].optimizer.lr == 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweeps=nope"], "study 'nope': there is none of that name; studies are activation, activations, alexnet"),
        (["train.bogus=3"], "train.bogus"),
        (["+train.bogus=3"], "train.bogus: there is no such field"),
        (["sweeps=lr", "train.epochs=x", "train.batch_size=0"], "train.batch_size = 0"),
        (["a.b=1,2"], "a.b: there is no such field"),
        (["optimizer.lr=["], "optimizer.lr=["),
        (["device=tpu"], "device = 'tpu'"),
        (["workers=0"], "workers = 0"),
        (["model.kernel_size_2=15"], "its input of 14x14"),
        (["optimizer=lion"], "optimizer = 'lion': there is no such option; options are adagrad, adam, adamw"),
    ],
)
def test_bad_arguments_name_the_place(arguments, message):
    assert message in problems(*arguments)


@pytest.mark.parametrize(
    ("protocol", "metric", "message"),
    [
        ("holdout", "test_acc", "data.protocol = holdout reads no test images; must be article or holdout_test"),
        ("holdout", "test_loss", "no run measures test_loss"),
        ("article", "val_acc", "holds out no training images; must be holdout or holdout_test"),
        ("article", "val_loss", "no run measures val_loss"),
        ("holdout", "val_acc", None),
        ("article", "test_acc", None),
        ("holdout_test", "val_acc", None),
        ("holdout_test", "test_acc", None),
        ("holdout", "train_acc", None),
    ],
)
def test_a_metric_that_no_run_measures_is_refused(protocol, metric, message):
    arguments = ["sweeps=lr", f"data.protocol={protocol}", f"study.metrics=[train_loss,{metric}]"]
    if message is None:
        assert plan(*arguments).studies[0].metrics == ("train_loss", metric)
    else:
        assert message in problems(*arguments)


def test_a_study_that_names_no_metrics_has_those_that_its_runs_measure(tmp_path, monkeypatch):
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "plain.yaml").write_text("study: {factors: {optimizer.lr: [0.1, 0.3]}}\n")
    monkeypatch.chdir(tmp_path)
    found = {
        protocol: plan("sweeps=plain", f"data.protocol={protocol}").studies[0].metrics
        for protocol in ("article", "holdout", "holdout_test")
    }
    assert found == {
        "article": ("train_loss", "train_acc", "test_acc"),
        "holdout": ("train_loss", "train_acc", "val_acc"),
        "holdout_test": ("train_loss", "train_acc", "test_acc"),
    }


def test_a_metric_that_some_runs_measure_is_not():
    arguments = ["data.protocol=article,holdout", "study.metrics=[train_loss,val_acc]"]
    assert len(plan("sweeps=quickstart", *arguments).runs) > 0


def test_a_misspelt_factor_of_a_study_is_taken_for_what_was_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "typo", "study: {factors: {optimizer.lrr: [1], epoch: [2], seed: [3]}}\n")
    said = problems("sweeps=typo")
    assert "optimizer.lrr: there is no such field; did you mean optimizer.lr" in said
    assert "epoch: there is no such field; did you mean " in said
    assert "train.epochs" in said
    assert "seed: is no factor; seeds belong to study.seeds" in said


def test_a_study_file_cannot_name_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "evil", "study: {factors: {optimizer.lr: [1]}}\noptimizer: {_target_: os.system}\n")
    assert "optimizer._target_ = 'os.system': configuration is data" in problems("sweeps=evil")
    write(tmp_path, "top", "study: {factors: {optimizer.lr: [1]}}\n_target_: os.system\n")
    assert "_target_ = 'os.system'" in problems("sweeps=top")


def test_a_study_that_includes_itself_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "loop", "study: {includes: [loop]}\n")
    assert "includes itself" in problems("sweeps=loop")


def test_ten_thousand_runs_are_told_apart():
    found = plan("sweeps=lr", "study.seeds=560")
    assert len({run.digest for run in found.runs}) == len(found.points) == 18 * 560
