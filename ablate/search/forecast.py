"""``ablate plan STUDY`` of a search: what its budget buys; trains nothing and writes nothing."""

import math
from statistics import fmean
from typing import Any

from ablate.execute.devices import cores
from ablate.execute.estimate import Speeds
from ablate.plan.plan import Plan
from ablate.plan.prefixes import find_prefixes, read_off
from ablate.search.racing import rung_epochs, seed_counts
from ablate.search.request import SearchRequest
from ablate.search.settings import Search
from ablate.search.storage import load_study
from ablate.store import FINAL, Store, open_store, shown
from ablate.store.provenance import collect
from ablate.task.errors import ConfigError


def search_outlook(order: SearchRequest) -> dict[str, Any]:
    """Everything that can be said before searching.

    Args:
        order: What would be searched.

    Returns:
        JSON data: the space; the cost of a run of it (mean over random settings, least and most); how many settings the
        budget buys trained in full and raced; what of it is spent; the runs of the proof.

    Raises:
        ConfigError: The space or the budget cannot be used.
    """
    search, launch = order.search, order.launch
    workers = launch.workers or cores()
    with open_store(launch.store_location, read_only=True) as store:
        speeds = Speeds(store.speeds(collect()["host"]), "cpu")
        proof = _proof(order, store, speeds, workers)
        seconds = {run.digest: speeds.seconds(run, run.samples) / workers for run in order.corners}
        measured = fmean(speeds.measured(run, 10, True) is not None for run in order.examples)
    samples = {run.digest: float(run.samples) for run in order.corners}
    unit = samples if search.budget.samples is not None else seconds
    total = float(search.budget.samples or 60.0 * (search.budget.minutes or 0.0))
    if min(unit.values()) > total:
        raise ConfigError(f"study.search.budget = {search.budget}: does not buy a single run")
    of_run = {"samples": fmean(samples[run.digest] for run in order.examples)}
    of_run["seconds"] = fmean(seconds[run.digest] for run in order.examples)
    mean = fmean(unit[run.digest] for run in order.examples)
    share = raced_share(search, round(fmean(run.train.epochs for run in order.examples)))
    spent, trials = _spent(order)
    return {
        "study": order.study.name,
        "optuna_study": order.name,
        "question": order.study.question,
        "sampler": search.sampler,
        "objective": [search.metric, *([search.against] if search.against else [])],
        "space": {f.name: _levels(f) for f in order.space.factors},
        "fixed": dict(search.fixed),
        "grid": _grid_size(order),
        "seeds": len(search.seeds),
        "budget": str(search.budget),
        "spent": spent,
        "trials": trials,
        "run_samples": round(of_run["samples"]),
        "run_seconds": round(of_run["seconds"], 1),
        "measured": round(measured, 3),
        "runs_in_full": math.floor(total / mean),
        "settings_in_full": math.floor(total / (mean * len(search.seeds))),
        "settings_raced": math.floor(total / (mean * share)),
        "search_seconds": round(total / mean * of_run["seconds"], 1),
        "proof": proof,
        "store": shown(launch.store_location),
    }


def raced_share(search: Search, epochs: int) -> float:
    """Expected cost of a raced setting, as a multiple of one full run.

    Args:
        search: With its races.
        epochs: Of a typical run.

    Returns:
        As if everywhere just one setting in ``reduction`` went on; without races the number of seeds.
    """
    races, alive, cost, before = search.races, 1.0, 0.0, 0.0
    for epoch in rung_epochs(epochs, races) if races.epochs else ():
        if epoch < epochs:
            cost += alive * (epoch / epochs - before)
            before, alive = epoch / epochs, alive / races.reduction
    cost += alive * (1.0 - before)
    done = 1
    for count in seed_counts(len(search.seeds), races) if races.seeds else (len(search.seeds),):
        alive = alive / races.reduction if races.seeds and count > done else alive
        cost += alive * max(0, count - done)
        done = max(done, count)
    return cost


def print_search_outlook(found: dict[str, Any]) -> None:
    """Print an outlook for people.

    Args:
        found: As :func:`search_outlook` returns it.
    """
    from ablate.execute.summary import clock
    from ablate.report.console import add_column, add_row, output, plain, table

    console = output()
    space = table(f"Search {found['study']}")
    for heading in ("factor", "values"):
        add_column(space, heading, left=True)
    for name, levels in found["space"].items():
        add_row(space, name, levels)
    for name, value in found["fixed"].items():
        add_row(space, name, f"{value} (fixed)")
    console.print(space)
    basis = (
        "measured on this machine" if found["measured"] == 1.0 else "partly a guess" if found["measured"] else "a guess"
    )
    grid = f", a grid of {found['grid']} settings" if found["grid"] is not None else ""
    budget = (
        f"{' against '.join(found['objective'])}, sampler {found['sampler']}{grid}, {found['seeds']} seeds a setting\n"
        f"a run takes {found['run_samples']:,} training samples, {clock(found['run_seconds'])} with all workers busy "
        f"({basis})\n"
        f"a budget of {found['budget']} buys {found['runs_in_full']} full runs, {found['settings_in_full']} settings "
        f"with all seeds, or about {found['settings_raced']} settings raced, in about {clock(found['search_seconds'])}"
    )
    console.print(plain(budget))
    if found["trials"]:
        console.print(f"so far {found['trials']} settings; spent {found['spent']:,.0f}")
    proof = found["proof"]
    cost = (
        f"proof: {proof['runs']} runs on fresh seeds, {proof['in_store']} of them in the store, {proof['samples']:,} "
        f"training samples, about {clock(proof['seconds'])}; store {found['store']}"
    )
    console.print(plain(cost))


def _proof(order: SearchRequest, store: Store, speeds: Speeds, workers: int) -> dict[str, Any]:
    """The proof's cost, with random settings in place of those that will be found."""
    plan = _stand_in(order)
    held = {d for d, status in store.status_of(run.digest for run in plan.runs).items() if status in FINAL}
    lacking = [run for run in plan.runs if run.digest not in held]
    known = read_off(lacking, store.along(run.trajectory for run in lacking))
    trained = find_prefixes(run for run in lacking if run.digest not in known).trained
    return {
        "runs": len(plan.runs),
        "in_store": len(held) + len(known),
        "samples": sum(run.samples for run in trained),
        "seconds": round(sum(speeds.seconds(run, run.samples) for run in trained) / workers, 1),
    }


def _stand_in(order: SearchRequest) -> Plan:
    import optuna

    from ablate.search.proof import proof_plan

    study = optuna.create_study(directions=["maximize"])
    for params in order.random[: order.search.confirm.top]:
        distributions = {f.name: f.distribution for f in order.space.factors if f.name in params}
        trial = optuna.trial.create_trial(params=params, distributions=distributions, value=0.0)
        trial.set_user_attr("values", {})
        study.add_trial(trial)
    return proof_plan(order, study)


def _spent(order: SearchRequest) -> tuple[float, int]:
    """Of the budget, in its unit; and by how many settings."""
    from ablate.search.budget import SPENT

    study = load_study(order.name, order.launch.store_location)
    ended = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished()] if study is not None else []
    return sum(float(t.user_attrs.get(SPENT, 0.0)) for t in ended), len(ended)


def _grid_size(order: SearchRequest) -> int | None:
    try:
        return len(order.space.grid())
    except ConfigError:
        return None


def _levels(factor: Any) -> str:
    choices = getattr(factor.distribution, "choices", None)
    if choices is not None:
        return ", ".join(map(str, choices))
    scale = " (log)" if factor.distribution.log else ""
    step = getattr(factor.distribution, "step", None)
    return f"{factor.distribution.low} to {factor.distribution.high}{scale}" + (f", step {step}" if step else "")
