"""Rows to runs: levels and seeds by value, endings, steps; what is ambiguous or wrong is one clear message each."""

import json
import math

import pandas as pd
import pytest

from ablate.task.errors import ConfigError
from tests.judge.judge_fakes import csv, judged


def found(tmp_path, content, **more):
    return {(run.levels, run.seed): run.result for run in judged(tmp_path, content, **more).runs}


def refused(tmp_path, content, **more):
    with pytest.raises(ConfigError) as caught:
        judged(tmp_path, content, **more)
    return caught.value.problems


def test_levels_are_compared_by_value(tmp_path):
    runs = found(tmp_path, csv("lr,seed,acc", "0.1,0,0.5", "1e-1,1,0.6", ".10,2,0.7", "0.30000000000000004,0,0.8"))
    assert list(runs) == [((0.1,), 0), ((0.1,), 1), ((0.1,), 2), ((0.3,), 0)]
    assert runs[(0.1,), 2].last("acc") == 0.7


@pytest.mark.parametrize(
    ("cells", "levels"),
    [
        (("8", "16.0"), [8, 16]),
        (("8", "0.5"), [8.0, 0.5]),
        (("true", "False"), [True, False]),
        (("adam", "sgd"), ["adam", "sgd"]),
    ],
)
def test_levels_have_the_type_of_their_column(tmp_path, cells, levels):
    runs = judged(tmp_path, csv("lr,seed,acc", f"{cells[0]},0,1", f"{cells[1]},0,1")).runs
    assert [run.levels[0] for run in runs] == levels
    assert [type(run.levels[0]) for run in runs] == [type(level) for level in levels]


def test_a_column_of_several_types_is_refused_unless_it_is_text(tmp_path):
    content = csv("lr,seed,acc", "0.1,0,0.5", "auto,0,0.6")
    [problem] = refused(tmp_path, content)
    assert "levels of several types: '0.1' (number, line 2) and 'auto' (text, line 3)" in problem
    runs = judged(tmp_path, content, factors=["lr:text"])
    assert runs.factors == ("lr",)
    assert [run.levels for run in runs.runs] == [("0.1",), ("auto",)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (csv("lr,acc", "0.1,0.5"), "has no column 'seed'"),
        (csv("lr,seeds,acc", "0.1,0,0.5"), "has no column 'seed'; did you mean 'seeds'?"),
        (csv("rl,seed,acc", "0.1,0,0.5"), "has no column 'lr'"),
        (csv("lr,seed,acc", "0.1,0,0.5", "0.2,,0.5"), "seed 'seed': is empty in line 3"),
        (csv("lr,seed,acc", "0.1,0,0.5", "0.2,a,0.5"), "has whole numbers and texts: '0' (line 2) and 'a' (line 3)"),
        (csv("lr,seed,acc", "0.1,0,0.5", ",0,0.5"), "factor 'lr': is empty in line 3"),
        (csv("lr,seed,acc", "0.1,0,high"), "metric 'acc', line 2: 'high' is no number"),
        (csv("lr,seed,acc", "0.1,0,95%"), "metric 'acc', line 2: '95%' is no number"),
        (csv("lr,seed,acc", "0.1,0,0.5", "inf,0,0.5"), "factor 'lr', line 3: 'inf' is no level"),
        (csv("lr,seed,acc", "0.1,0,0.5", "1e-1,0,0.6"), "line 2 and line 3 repeat lr = 0.1 with seed 0"),
    ],
)
def test_bad_tables_are_one_clear_message(tmp_path, content, says):
    [problem] = refused(tmp_path, content)
    assert says in problem
    assert "runs.csv" in problem


def test_all_problems_at_once(tmp_path):
    content = csv("lr,seed,acc,loss", "0.1,0,x,1", "a,0,y,z")
    assert len(refused(tmp_path, content, metrics=["acc:max", "loss:min"])) == 4
    assert len(refused(tmp_path, content, factors=["a", "b"], seed="c")) == 3


def test_repeated_rows_say_what_they_differ_in(tmp_path):
    content = csv("lr,seed,width,acc,day", "0.1,0,8,0.5,mo", "0.1,0,16,0.6,mo")
    [problem] = refused(tmp_path, content)
    assert "(they differ in width: name another --factor or --step, or choose with --where)" in problem
    assert len(judged(tmp_path, content, where=(("width", "16.0"),)).runs) == 1
    assert len(judged(tmp_path, content, factors=["lr", "width"]).runs) == 2


def test_a_choice_of_rows_that_leaves_none(tmp_path):
    assert "leaves no rows" in refused(tmp_path, csv("lr,seed,acc", "0.1,0,1"), where=(("lr", "3"),))[0]


def test_seeds_are_whole_numbers_of_any_kind(tmp_path):
    runs = judged(tmp_path, csv("lr,seed,acc", "0.1,-3,0.5", "0.1,42.0,0.5", "0.1,2147483647,0.1"))
    assert [run.seed for run in runs.runs] == [-3, 42, 2**31 - 1]
    assert runs.notes == ()


@pytest.mark.parametrize("seeds", [("fold_b", "fold_a"), (str(2**70), "7")])
def test_other_seeds_are_numbered_in_order_and_that_is_said(tmp_path, seeds):
    runs = judged(tmp_path, csv("lr,seed,acc", f"0.1,{seeds[0]},0.5", f"0.1,{seeds[1]},0.6"))
    assert [run.seed for run in runs.runs] == [1, 0]
    assert "seeds of column 'seed' are numbered in order (0: " in runs.notes[0]


def test_diverged_and_failed_runs_are_counted(tmp_path):
    runs = found(
        tmp_path,
        csv("lr,seed,acc,loss", "1,0,0.5,nan", "1,1,inf,1", "1,2,,", "1,3,NA,0.1", "1,4,-Infinity,1"),
        metrics=["acc:max", "loss:min"],
    )
    assert [runs[(1,), seed].status for seed in range(5)] == ["diverged", "diverged", "failed", "complete", "diverged"]
    assert "no value of acc, loss" in runs[(1,), 2].error


def test_a_metric_that_a_finished_run_lacks_is_said(tmp_path):
    runs = judged(tmp_path, csv("lr,seed,acc,loss", "1,0,0.5,", "1,1,0.5,1"), metrics=["acc:max", "loss:min"])
    assert runs.notes == ("'loss' is empty in 1 finished run(s)",)


def test_values_outside_the_declared_range(tmp_path):
    content = csv("lr,seed,acc", "1,0,91.2", "1,1,0.3")
    assert refused(tmp_path, content, metrics=["acc:max[0..1]"]) == [
        f"{tmp_path / 'runs.csv'}: metric 'acc', line 2: '91.2' lies outside 0..1"
    ]
    assert len(judged(tmp_path, content, metrics=["acc:max[0..]:%"]).runs) == 2


WANDB = csv(
    '"Name","State","Created","Runtime","Sweep","lr","seed","acc"',
    '"a-1","finished","2026-01-01T00:00:00.000Z","12","","0.1","0","0.9"',
    '"b-2","crashed","2026-01-01T00:00:00.000Z","3","","0.1","1","0.1"',
    '"c-3","finished","2026-01-01T00:00:00.000Z","11","","0.1","1","0.8"',
    '"d-4","failed","2026-01-01T00:00:00.000Z","3","","0.1","2",""',
    '"e-5","running","2026-01-01T00:00:00.000Z","5","","0.1","3","0.2"',
)


def test_an_export_of_wandb(tmp_path):
    runs = judged(tmp_path, WANDB)
    by_seed = {run.seed: run.result for run in runs.runs}
    assert by_seed[0].status == by_seed[1].status == "complete"
    assert by_seed[1].last("acc") == 0.8, "the attempt that ended, not the one that crashed"
    assert by_seed[0].seconds == 12
    assert by_seed[2].status == "failed"
    assert by_seed[2].error == "runs.csv, line 5: State = failed"
    assert by_seed[3] is None, "it has not ended"
    assert runs.notes == ("1 failed or unfinished attempt(s) of runs that were tried again are left out",)


def test_two_finished_attempts_are_a_repeat(tmp_path):
    content = WANDB.replace('"crashed"', '"finished"')
    assert "line 3 and line 4 repeat lr = 0.1 with seed 1" in refused(tmp_path, content)[0]


def test_a_word_for_an_ending_that_nobody_knows(tmp_path):
    content = csv("lr,seed,acc,outcome", "0.1,0,1,fine")
    assert "outcome = 'fine': must be one of finished," in refused(tmp_path, content, status="outcome")[0]
    assert len(judged(tmp_path, content).runs) == 1
    assert len(judged(tmp_path, csv("lr,seed,acc,state", "0.1,0,1,Bavaria")).runs) == 1


def test_an_export_of_mlflow(tmp_path):
    """Columns as ``mlflow.search_runs(...).to_csv()`` and ``mlflow experiments csv`` write them."""
    frame = pd.DataFrame(
        {
            "run_id": ["9f1", "9f2"],
            "experiment_id": ["1", "1"],
            "status": ["FINISHED", "FAILED"],
            "artifact_uri": ["mlflow-artifacts:/1/9f1", "mlflow-artifacts:/1/9f2"],
            "start_time": pd.to_datetime(["2026-01-01 10:00:00+00:00"] * 2),
            "end_time": pd.to_datetime(["2026-01-01 10:00:01.500+00:00", None]),
            "metrics.acc": [0.9, math.nan],
            "params.lr": ["0.1", "0.1"],
            "params.seed": ["0", "1"],
            "tags.mlflow.runName": ["bold-bee-1", "wry-cat-2"],
        }
    )
    runs = judged(tmp_path, frame.to_csv(index=False))
    assert [run.result.status for run in runs.runs] == ["complete", "failed"]
    assert runs.runs[0].result.seconds == 1.5
    assert runs.notes == (
        "'lr' is column 'params.lr'",
        "'seed' is column 'params.seed'",
        "'acc' is column 'metrics.acc'",
    )


LONG = csv(
    "lr,seed,epoch,acc,loss",
    *(f"{lr},{seed},{epoch},{lr + epoch / 10},{1 / epoch}" for lr in (0.1, 0.2) for seed in (0, 1) for epoch in (2, 1)),
)


@pytest.mark.parametrize("step", [None, "epoch"])
def test_a_row_for_each_step(tmp_path, step):
    runs = judged(tmp_path, LONG, metrics=["acc:max", "loss:min"], step=step)
    assert len(runs.runs) == 4
    assert [(m.step, m.values["loss"]) for m in runs.runs[0].result.curves] == [(1, 1.0), (2, 0.5)]
    assert runs.runs[0].result.last("acc") == pytest.approx(0.3)
    assert (runs.notes == ()) == (step is not None)


@pytest.mark.parametrize("long", [None, ("metric", "value")])
def test_a_row_for_each_metric(tmp_path, long):
    wide = pd.read_csv(__import__("io").StringIO(LONG))
    tidy = wide.melt(["lr", "seed", "epoch"], var_name="metric").sample(frac=1, random_state=0)
    runs = judged(tmp_path, tidy.to_csv(index=False), metrics=["acc:max"], long=long)
    same = judged(tmp_path, LONG, name="wide.csv")
    key = {(run.levels, run.seed): run.result for run in runs.runs}
    assert key == {(run.levels, run.seed): run.result for run in same.runs}
    with pytest.raises(ConfigError, match="has no metric 'f1'; it has acc, loss"):
        judged(tmp_path, tidy.to_csv(index=False), metrics=["f1:max"], long=("metric", "value"))


def test_a_row_for_each_metric_without_steps(tmp_path):
    content = csv("lr,seed,metric,value", "0.1,0,acc,0.5", "0.1,0,loss,1", "0.2,0,acc,0.6", "0.2,0,loss,nan")
    runs = judged(tmp_path, content, metrics=["acc:max", "loss:min"])
    assert [run.result.status for run in runs.runs] == ["complete", "diverged"]
    assert [m.step for run in runs.runs for m in run.result.curves] == [0, 0]


def test_repeated_steps_and_broken_steps(tmp_path):
    content = csv("lr,seed,epoch,acc", "0.1,0,1,0.5", "0.1,0,1,0.6")
    assert "with seed 0 at step 1" in refused(tmp_path, content)[0]
    assert "epoch = '0.5': steps are whole numbers" in refused(tmp_path, content.replace(",1,0.6", ",0.5,0.6"))[0]


def test_runs_that_end_early_are_said(tmp_path):
    runs = judged(tmp_path, LONG.rsplit("\n", 3)[0] + "\n0.2,1,1,0.3,1\n")
    assert "finished runs end at different steps, 1 to 2" in runs.notes


def test_json_lines_with_a_nested_configuration(tmp_path):
    rows = [{"config": {"lr": lr, "seed": 0}, "summary": {"acc": lr}} for lr in (0.1, 0.2)]
    runs = judged(tmp_path, "\n".join(map(json.dumps, rows)), name="runs.jsonl")
    assert [run.levels for run in runs.runs] == [(0.1,), (0.2,)]
