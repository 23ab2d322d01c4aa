"""``ablate plan STUDY`` of a search: what its budget buys; trains nothing and writes nothing."""

import math
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ablate.commands.kept_records import digests_of, final_in
from ablate.execute.devices import speed_device
from ablate.execute.estimate import Speeds
from ablate.plan.plan import Plan
from ablate.plan.prefixes import find_prefixes, read_off
from ablate.search.budget import SPENT, runs_of
from ablate.search.racing import rung_steps, seed_counts
from ablate.search.request import SearchRequest
from ablate.search.searcher import amount
from ablate.search.settings import Search
from ablate.search.start import LEAST_SECONDS, workers_of
from ablate.search.work import Work
from ablate.store import FINAL, Store, open_store, shown
from ablate.store.provenance import host
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    from optuna import Study


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
    from ablate.search.command import known_trials, place_of

    search, launch = order.search, order.launch
    orders = workers_of(order)
    workers = len(orders)
    known = known_trials(order)
    digests = {digest for trial in known.trials for digest in runs_of(trial)} if known is not None else set()
    with open_store(launch.store_location, read_only=True) as store:
        speeds = Speeds(store.speeds(host()), speed_device(orders, launch.executor))
        proof = _proof(order, known, store, speeds, workers)
        held = set(store.status_of(digests))
        measured = fmean(speeds.measured(run, 10, True) is not None for run in order.examples)
    trained = Path(launch.results) / place_of(order, order.study.name) / "trained"
    reported = (digests - held) & digests_of(trained) if (trained / "runs.csv").is_file() else set()
    seconds = {run.digest: speeds.seconds(run, run.samples) / workers for run in order.corners}
    work = {run.digest: order.work.of(run) for run in order.corners}
    unit = search.budget.work
    counted = {run.digest: unit.of(run) for run in order.corners} if unit is not None else seconds
    total = search.budget.total
    if min(counted.values()) > total and (counted is not seconds or measured or total < LEAST_SECONDS):
        raise ConfigError(f"study.search.budget = {search.budget}: does not buy a single run")
    mean = fmean(counted[run.digest] for run in order.examples)
    mean_seconds = fmean(seconds[run.digest] for run in order.examples)
    lengths = [run.length for run in order.examples if run.length is not None]
    share = raced_share(search, round(fmean(lengths)) if lengths else None)
    return {
        "study": order.study.name,
        "optuna_study": order.name,
        "question": order.study.question,
        "sampler": search.sampler,
        "objective": [search.metric, *([search.against] if search.against else [])],
        "space": {f.name: _levels(f) for f in order.space.factors},
        "fixed": dict(search.fixed),
        "outside": order.outside,
        "grid": _grid_size(order),
        "seeds": len(search.seeds),
        "budget": str(search.budget),
        "unit": order.work.unit,
        "races": _races(order, lengths),
        "spent": sum(float(t.user_attrs.get(SPENT, 0.0)) for t in known.trials) if known is not None else 0,
        "trials": len(known.trials) if known is not None else 0,
        "runs": len(digests),
        "in_store": len(held),
        "in_reports": len(reported),
        "reports": str(trained),
        "run_work": round(fmean(work[run.digest] for run in order.examples)),
        "run_seconds": round(mean_seconds, 1),
        "measured": round(measured, 3),
        "runs_in_full": math.floor(total / mean),
        "settings_in_full": math.floor(total / (mean * len(search.seeds))),
        "settings_raced": (
            math.floor(total / (mean * share))
            if order.ladder is None
            else order.ladder.settings(total / mean, search.racing.reduction)
        ),
        "search_seconds": round(total / mean * mean_seconds, 1),
        "proof": proof,
        "store": shown(launch.store_location),
    }


def _races(order: SearchRequest, lengths: list[int]) -> str:
    """Along what settings are raced."""
    races, step = order.search.races, f"{order.task.step}s"
    if order.ladder is not None:
        seeds = ", raced along seeds at the last" if len(order.search.seeds) > 1 else ""
        return f"tried with {order.ladder.factor.path} {', '.join(map(str, order.ladder.rungs))}{seeds}"
    along = [step] * (races.steps and max(lengths, default=1) > 1)
    along += ["seeds"] * (races.seeds and len(order.search.seeds) > 1)
    said = f"raced along {' and '.join(along)}" if along else "not raced"
    unknown = races.steps and not lengths
    return f"{said} (the task does not say how many {step} a run has)" if unknown else said


def raced_share(search: Search, length: int | None) -> float:
    """Expected cost of a raced setting, as a multiple of one full run.

    Args:
        search: The search with its races.
        length: Steps of a typical run; None: not known, so that steps are not raced.

    Returns:
        As if everywhere just one setting in ``reduction`` went on; without races the number of seeds.
    """
    races, alive, cost, before = search.races, 1.0, 0.0, 0.0
    for step in rung_steps(length, races) if races.steps and length is not None else ():
        if length is not None and step < length:
            cost += alive * (step / length - before)
            before, alive = step / length, alive / races.reduction
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
    work = Work(found["unit"])
    takes = "" if work.unit == "runs" else f"{found['run_work']:,} {work.title}, "
    seeds = "one seed" if found["seeds"] == 1 else f"{found['seeds']} seeds"
    in_full = f", {found['settings_in_full']} settings with all seeds" if found["seeds"] > 1 else ""
    differs = found["settings_raced"] != found["settings_in_full"]
    raced = f", or about {found['settings_raced']} settings as they are tried" if differs else ""
    budget = (
        f"{' against '.join(found['objective'])}, sampler {found['sampler']}{grid}, {seeds} a setting, "
        f"{found['races']}\n"
        f"a run takes {takes}{clock(found['run_seconds'])} with all workers busy ({basis})\n"
        f"a budget of {found['budget']} buys {found['runs_in_full']} full runs{in_full}{raced}, in about "
        f"{clock(found['search_seconds'])}"
    )
    console.print(plain(budget))
    if found["outside"]:
        console.print(plain(found["outside"]))
    if found["trials"]:
        where = [f"{found['in_store']} in the store"]
        where += [f"{found['in_reports']} in {found['reports']}"] * bool(found["in_reports"])
        so_far = f"so far {found['trials']} settings with {found['runs']} runs ({', '.join(where)}); spent "
        console.print(plain(so_far + amount(found["spent"])))
    proof = found["proof"]
    where = [f"{proof['in_store']} of them in the store"]
    where += [f"{proof['in_reports']} in reports"] * bool(proof["in_reports"])
    cost = (
        f"proof: {proof['runs']} runs on fresh seeds, {', '.join(where)}, {amount(proof['work'])} {work.title}, about "
        f"{clock(proof['seconds'])}; store {found['store']}"
    )
    console.print(plain(cost))


def _proof(order: SearchRequest, known: "Study | None", store: Store, speeds: Speeds, workers: int) -> dict[str, Any]:
    """The proof's cost: of the best settings so far, or of random ones in their place."""
    from ablate.search.proof import proof_plan

    has_best = known is not None and any(trial.state.name == "COMPLETE" for trial in known.trials)
    plan = proof_plan(order, known) if known is not None and has_best else _stand_in(order)
    held = {d for d, status in store.status_of(run.digest for run in plan.runs).items() if status in FINAL}
    reported = final_in(Path(order.launch.results), {run.digest for run in plan.runs} - held)
    lacking = [run for run in plan.runs if run.digest not in held | reported]
    along = read_off(lacking, store.along(run.trajectory for run in lacking))
    trained = find_prefixes(run for run in lacking if run.digest not in along).trained
    return {
        "runs": len(plan.runs),
        "in_store": len(held) + len(along),
        "in_reports": len(reported),
        "work": sum(order.work.of(run) for run in trained),
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
