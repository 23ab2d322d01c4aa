"""A study that adds seeds look by look: killed or not, it trains the same runs and says the same."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ablate.analyse import sequential, sign_flip
from ablate.commands.look_stages import stage_of
from ablate.commands.looks import FILE, looked_at, stated_after, train_by_looks, with_stated
from ablate.commands.studies import named, order
from ablate.commands.study_view import view_of
from ablate.execute import Summary
from ablate.report import analyse_study
from ablate.report.joined_runs import frame_of_runs
from ablate.task.errors import ConfigError
from ablate.task.record import Measurement, Record, Result

EFFECTS = {"avg": 0.0, "max": 0.03}


@pytest.fixture(autouse=True)
def few_signs(monkeypatch):
    monkeypatch.setattr(sequential, "VECTORS", 999)
    monkeypatch.setattr(sign_flip, "FLIPS", 999)


@pytest.fixture
def study(results):
    """A plan of three levels with looks, of which nothing is trained yet."""
    results()
    words = ["model.pooling=avg,max", "study.seeds={looks:[6,10,16],margin:0.05}", "~study.claims", "~study.published"]
    return order(named(["pooling"], words))


@pytest.fixture
def with_claims(results):
    """Three kernels, of which two claims say that the largest is the best and that accuracy rises with the size."""
    results()
    return order(named(["kernel_size"], ["study.seeds={looks:[6,10,16]}", "~study.published"]))


class Trainer:
    """Trains by a formula, and is killed after so many runs."""

    def __init__(self, effects=EFFECTS):
        self.effects, self.records, self.trained, self.left = effects, {}, [], None

    def train(self, plan):
        before = len(self.trained)
        for point in plan.points:
            if point.run.digest not in self.records:
                if self.left == 0:
                    raise KeyboardInterrupt
                self.left = None if self.left is None else self.left - 1
                self.trained.append(point.run.digest)
                self.records[point.run.digest] = self.record(point)
        statuses = {"complete": len(plan.runs)}
        return Summary(len(plan.runs), statuses, trained=len(self.trained) - before)

    def record(self, point):
        own = np.random.default_rng([point.run.seed, point.setting.order]).normal(0, 0.004)
        value = 0.5 + self.effects[point.setting.label] + own
        values = {"train_loss": 1.0 - value, "train_acc": value, "test_acc": value}
        return Record(point.run.digest, point.run.identity, Result("complete", (Measurement(10, values, 1.0),)))

    def of(self, plan):
        return {run.digest: self.records[run.digest] for run in plan.runs if run.digest in self.records}

    def sweep(self, wanted, tmp_path):
        said = []
        summary = train_by_looks(wanted.plan, self.train, self.of, wanted.folder, said.append)
        return summary, said


def test_seeds_are_added_until_all_is_settled(study, tmp_path):
    trainer = Trainer()
    summary, said = trainer.sweep(study, tmp_path)
    (one,) = study.plan.studies
    stage = stage_of(one, study.plan, trainer.records)
    assert stage.is_settled
    assert stage.levels["model.pooling = max"][0] == "told"
    assert len(trainer.trained) == len(set(trainer.trained)) == summary.trained == summary.planned
    assert len(trainer.trained) == 2 * stage.levels["model.pooling = max"][1] < len(study.plan.runs)
    assert said[-1].endswith("1 told from the baseline; all is settled")
    held = json.loads((study.folder("pooling") / FILE).read_text())
    assert (held["looks"], held["made"], held["metric"]) == ([6, 10, 16], stage.looks, "test_acc")
    assert trainer.sweep(study, tmp_path)[0].trained == 0


def killed_and_not(wanted, tmp_path, effects, kill_after):
    """The trainers of a sweep that was killed ten times and of one that was not; both ended alike."""
    (name,) = wanted.asked
    whole, killed = Trainer(effects), Trainer(effects)
    whole.sweep(wanted, tmp_path)
    undisturbed = (wanted.folder(name) / FILE).read_text()
    (wanted.folder(name) / FILE).unlink()
    for _ in range(10):
        killed.left = kill_after
        with pytest.raises(KeyboardInterrupt):
            killed.sweep(wanted, tmp_path)
    killed.left = None
    killed.sweep(wanted, tmp_path)
    assert killed.records == whole.records
    assert killed.trained == whole.trained
    assert (wanted.folder(name) / FILE).read_text() == undisturbed
    return whole, json.loads(undisturbed)


@pytest.mark.parametrize("effects", [{"avg": 0.0, "max": 0.03}, {"avg": 0.0, "max": 0.0}])
def test_killed_ten_times_it_comes_to_the_same_end(study, tmp_path, effects):
    killed_and_not(study, tmp_path, effects, 1)


def test_claims_go_on_when_levels_are_settled_and_killed_ten_times_come_to_the_same_end(with_claims, tmp_path):
    effects = {"3": -0.030, "4": -0.0260, "5": 0.0}
    whole, held = killed_and_not(with_claims, tmp_path, effects, 2)
    assert {level["seeds"] for level in held["levels"].values()} == {10}
    found = {name: (one["outcome"], one["seeds"], one["after"]) for name, one in held["claims"].items()}
    assert found == {"kernel-rise": ("supported", 16, 0), "kernel-best": ("supported", 10, 0)}
    trained = [point.setting.label for point in with_claims.plan.points if point.run.digest in whole.records]
    assert {label: trained.count(label) for label in effects} == {"3": 16, "4": 16, "5": 10}
    (one,) = with_claims.plan.studies
    again = stage_of(one, stage_of(one, with_claims.plan, whole.records).counted, whole.records)
    assert again.is_settled, "the runs that count alone say the same"
    assert again.claims == stage_of(one, with_claims.plan, whole.records).claims


def test_other_looks_at_what_was_looked_at_are_refused(study, tmp_path):
    Trainer().sweep(study, tmp_path)
    (one,) = study.plan.studies
    changed = one.model_copy(update={"looks": one.looks.model_copy(update={"alpha": 0.1})})
    plan = replace(study.plan, studies=(changed,), points=tuple(replace(p, study=changed) for p in study.plan.points))
    with pytest.raises(ConfigError, match=r"were looked at already, with looks .*, alpha 0\.05"):
        Trainer().sweep(replace(study, plan=plan), tmp_path)
    (study.folder("pooling") / FILE).write_text("{")
    with pytest.raises(ConfigError, match="is damaged"):
        Trainer().sweep(study, tmp_path)


def test_a_claim_that_is_stated_or_changed_after_a_look_is_marked_for_good(with_claims, tmp_path):
    (one,) = with_claims.plan.studies
    rise, best = one.claims
    effects = {"3": -0.030, "4": -0.0260, "5": 0.0}

    def stating(*claims):
        study = one.model_copy(update={"claims": claims})
        points = tuple(replace(point, study=study) for point in with_claims.plan.points)
        return replace(with_claims, plan=replace(with_claims.plan, studies=(study,), points=points))

    def late(wanted):
        (study,) = wanted.plan.studies
        return stated_after(study, wanted.plan, wanted.folder("kernel_size"))

    trainer = Trainer(effects)
    assert late(stating(best, rise)) == {}, "no look was made yet"
    trainer.sweep(stating(best), tmp_path)
    file = with_claims.folder("kernel_size") / FILE
    made = json.loads(file.read_text())["made"]
    assert late(stating({**best, "text": "In other words."})) == {}
    assert late(stating({**best, "margin": 0.001}, rise)) == {"kernel-best": made, "kernel-rise": made}
    changed = stating({**best, "margin": 0.001})
    fewer = tuple(point for point in changed.plan.points if point.setting.label != "4")
    assert len(fewer) < len(changed.plan.points)
    assert late(replace(changed, plan=replace(changed.plan, points=fewer))) == {"kernel-best": made}, "other levels"

    _, said = trainer.sweep(stating(best, rise), tmp_path)
    assert said[0] == f"study kernel_size: claim kernel-rise was stated or changed after look {made}, and is marked so"
    held = json.loads(file.read_text())
    assert held["made"] == made + 1, "it has added seeds"
    assert late(stating(best, rise)) == {"kernel-rise": made}, "the later look changes nothing"
    assert late(stating(best, {**rise, "id": "other"})) == {"other": made}

    (study,) = stating(best, rise).plan.studies
    plan = stage_of(study, stating(best, rise).plan, trainer.records).counted
    view = with_stated(view_of(study, plan, command=""), study, plan, with_claims.folder("kernel_size"))
    runs = frame_of_runs(plan, trainer.records, "kernel_size")
    verdicts = {verdict.claim.id: verdict for verdict in analyse_study(view, runs).verdicts}
    assert f"after look {made}, and not corrected for what was seen" in verdicts["kernel-rise"].evidence
    assert (verdicts["kernel-rise"].stated_after, verdicts["kernel-best"].stated_after) == (made, 0)
    assert "exploratory" not in verdicts["kernel-best"].evidence

    for entry in held["claims"].values():  # a file that was written before such claims were marked
        del entry["claim"], entry["after"]
    file.write_text(json.dumps(held))
    assert late(stating(best, rise)) == {}


def test_a_number_of_seeds_after_looks_is_told_as_such(study, tmp_path):
    (one,) = study.plan.studies
    fixed = one.model_copy(update={"looks": None})
    assert looked_at(fixed, study.plan, study.folder("pooling")) == ()
    Trainer().sweep(study, tmp_path)
    (said,) = looked_at(fixed, study.plan, study.folder("pooling"))
    assert f"with looks [6, 10, 16] ({study.folder('pooling') / FILE})" in said
    assert looked_at(one, study.plan, study.folder("pooling")) == ()
    part = replace(study.plan, points=tuple(p for p in study.plan.points if p.setting.is_baseline))
    assert looked_at(fixed, part, study.folder("pooling")) == ()


def test_a_run_that_fails_lets_the_look_wait(study, tmp_path):
    trainer = Trainer()
    make = trainer.record
    trainer.record = lambda point: (
        replace(make(point), result=Result("failed", error="x")) if point.run.seed == 3 else make(point)
    )
    _, said = trainer.sweep(study, tmp_path)
    assert said == []
    assert len(trainer.records) == 12  # of the first look, and no more


@pytest.mark.parametrize(
    ("seeds", "problem"),
    [
        ("{looks:[6]}", "at least two numbers"),
        ("{looks:[10,6]}", "each larger than the last"),
        ("{looks:[2,4]}", "4 seeds can decide nothing"),
        ("{looks:[6,10],alpha:2}", "study.seeds.alpha = 2"),
        ("{looks:[6,10],margn:0.1}", "study.seeds.margn: there is no such field"),
        ("{alpha:0.05}", "study.seeds.looks: is missing"),
    ],
)
def test_looks_that_cannot_be_are_refused(results, ablate, seeds, problem):
    results()
    assert problem in ablate("plan", "pooling", f"study.seeds={seeds}", code=2)


def test_plan_says_what_looks_may_cost(results, ablate):
    results()
    said = " ".join(ablate("plan", "pooling", "study.seeds={looks:[6,10,16,24,40]}").split())
    assert (
        "looks at 6, 10, 16, 24, 40 seeds, the first that can decide at 10: between 20 and 80 runs, about 33 where"
        in said
    )
