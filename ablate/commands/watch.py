"""``ablate watch``: how far studies are, from the store alone, on any machine that reaches it.

Where it also reaches the folder of results, it says what cohorts in training have left checkpoints, and what runs in
training have measured so far.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ablate.commands.answers import study_answers
from ablate.commands.declared import step_of
from ablate.commands.studies import StudyRequest, records_of
from ablate.execute.interim import read_interim
from ablate.execute.summary import clock
from ablate.plan.cohorts import Cohort, cohort_of
from ablate.store import FINAL, Owner, open_store
from ablate.task.checkpoint import checkpoints_in
from ablate.task.errors import ConfigError
from ablate.task.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ablate.task.record import Record

SCHEMA = 1
"""The version of the data; it is raised when a name goes or changes its meaning."""

RECENT = timedelta(minutes=30)
"""Over which the speed is measured."""

PAUSE_SECONDS = 5.0
"""Seconds between two looks into the store."""


def snapshot(wanted: StudyRequest) -> dict[str, Any]:
    """How far studies are now.

    - ``runs``: ``planned``, ``complete``, ``diverged``, ``failed``, ``training``, ``waiting``
    - ``hosts``: by name ``training`` (runs leased by sweeps there now) and ``trained`` (records from there)
    - ``runs_per_hour`` over the last half hour, ``seconds_left`` at that speed; null: nothing has ended in that time
    - ``last``: when the last record was written (ISO 8601, UTC)
    - ``checkpoints``: of every cohort in training that has left one: how many ``runs``, their ``step`` (called as
      ``step`` says) and ``length``, when it was ``written`` (ISO 8601, UTC), on which ``host``
    - ``interim``: of every level with runs in training that have measured something: ``study``, ``factor``, ``level``,
      ``metric``, ``n`` runs, and the mean ``value`` of what each has so far (of its present epoch where none has ended)
    - ``standings``: of every level beside the baseline ``study``, ``factor``, ``level``, ``metric``, ``n``,
      ``difference``, ``standing`` (``better``, ``worse``, ``undecided``, ``identical``, ``exact``)
    - ``verdicts``: of every claim ``study``, ``id``, ``text``, ``outcome``

    Args:
        wanted: What a command line asks for.

    Raises:
        ConfigError: The store cannot be read.
    """
    records = records_of(wanted.plan, wanted.launch)
    with open_store(wanted.launch.store_location, read_only=True) as store:
        held = store.held(run.digest for run in wanted.plan.runs)
    statuses = Counter(record.result.status for record in records.values())
    final = sum(statuses[status] for status in FINAL)
    training = {digest: owner for digest, owner in held.items() if not _is_final(records.get(digest))}
    planned = len(wanted.plan.runs)
    failed = sum(record.result.status == "failed" and d not in training for d, record in records.items())
    ended = sorted(str(r.provenance["ended"]) for r in records.values() if r.provenance.get("ended"))
    speed = _per_hour(ended)
    left = planned - final - failed
    trained = Counter(str(record.provenance.get("host") or "unknown") for record in records.values())
    working = Counter(owner.host for owner in training.values())
    studies = study_answers(wanted, records) if records else []
    return {
        "runs": {
            "planned": planned,
            "complete": statuses["complete"],
            "diverged": statuses["diverged"],
            "failed": failed,
            "training": len(training),
            "waiting": left - len(training),
        },
        "hosts": {host: {"training": working[host], "trained": trained[host]} for host in sorted({*trained, *working})},
        "runs_per_hour": speed,
        "seconds_left": None if not speed else round(left / speed * 3600),
        "last": ended[-1] if ended else None,
        "step": step_of(run.task for run in wanted.plan.runs),
        "checkpoints": _checkpoints(wanted, records),
        "interim": _interim(wanted, training),
        "standings": [one for study in studies for one in _standings(study)],
        "verdicts": [
            {"study": study["study"], **{key: verdict[key] for key in ("id", "text", "outcome")}}
            for study in studies
            for verdict in study["verdicts"]
        ],
    }


def watch_studies(wanted: StudyRequest, *, as_json: bool = False, port: int | None = None) -> None:
    """Show how far studies are until nothing is left.

    Args:
        wanted: What a command line asks for.
        as_json: Print one snapshot as data instead.
        port: Serve it as a page that refreshes, on this machine alone, until Ctrl-C; 0: any free port.

    Raises:
        ConfigError: The store cannot be read, the port is taken, or a search is named.
    """
    if wanted.is_search:
        name = wanted.asked[0] if wanted.asked else "STUDY"
        raise ConfigError(f"study {name}: is a search; how far it is says: ablate plan {name}")
    if as_json:
        print(printable(json.dumps({"schema": SCHEMA, **snapshot(wanted)}, indent=2, ensure_ascii=False)))
    elif port is not None:
        from ablate.commands.watch_page import serve

        serve(wanted.asked, lambda: snapshot(wanted), port)
    elif sys.stdout.isatty():
        _live(lambda: snapshot(wanted))
    else:
        _lines(lambda: snapshot(wanted))


def is_over(found: dict[str, Any]) -> bool:
    """Whether nothing is left to be trained."""
    return not found["runs"]["training"] and not found["runs"]["waiting"]


def lines_of(found: dict[str, Any]) -> list[str]:
    """A snapshot for people."""
    runs = found["runs"]
    done = runs["complete"] + runs["diverged"] + runs["failed"]
    counts = [f"{done}/{runs['planned']} runs"] + [f"{runs[name]} {name}" for name in list(runs)[1:] if runs[name]]
    if found["runs_per_hour"]:
        counts.append(f"{found['runs_per_hour']:,.0f} an hour, {clock(found['seconds_left'])} left")
    lines = [", ".join(counts)]
    lines += [f"{host}: {n['training']} training, {n['trained']} trained" for host, n in found["hosts"].items()]
    for one in found["checkpoints"]:
        at = f"{found['step']} {one['step']}" + (f" of {one['length']}" if one["length"] is not None else "")
        lines.append(f"{cohort_of(one['runs'])}: checkpoint after {at}, {one['written'][:19]} UTC, {one['host']}")
    for one in found["interim"]:
        who = f"{one['n']} run{'s' * (one['n'] > 1)} in training"
        value = f"{one['value']:.4g} in {one['metric']} so far"
        lines.append(f"{one['study']}: {one['factor']} = {one['level']}: {value}, {who}")
    for one in found["standings"]:
        value = "" if one["difference"] is None else f"{one['difference']:+.4g} in {one['metric']}, "
        lines.append(f"{one['study']}: {one['factor']} = {one['level']}: {value}{one['n']} seeds: {one['standing']}")
    lines += [f"{one['study']}: {one['text']} {one['outcome']}" for one in found["verdicts"]]
    return [printable(line) for line in lines]


def _live(look: "Callable[[], dict[str, Any]]") -> None:
    from rich.live import Live
    from rich.text import Text

    try:
        with Live(auto_refresh=False) as display:
            while True:
                found = look()
                display.update(Text("\n".join(lines_of(found))), refresh=True)
                if is_over(found):
                    return
                time.sleep(PAUSE_SECONDS)
    except KeyboardInterrupt:
        """Whoever watches may look away."""


def _lines(look: "Callable[[], dict[str, Any]]") -> None:
    """What is new, as lines."""
    told: set[str] = set()
    try:
        while True:
            found = look()
            for line in lines_of(found):
                if line not in told:
                    print(line, flush=True)
            told = set(lines_of(found))
            if is_over(found):
                return
            time.sleep(PAUSE_SECONDS)
    except KeyboardInterrupt:
        """Whoever watches may look away."""


def _checkpoints(wanted: StudyRequest, records: "Mapping[str, Record]") -> list[dict[str, Any]]:
    runs, folder = {run.digest: run for run in wanted.plan.runs}, wanted.launch.checkpoints_folder
    found = []
    for checkpoint in checkpoints_in(folder) if folder is not None else ():
        members = [runs[digest] for digest in checkpoint.runs if digest in runs]
        if len(members) == len(checkpoint.runs) and not all(_is_final(records.get(run.digest)) for run in members):
            about = {name: str(checkpoint.about.get(name, "")) for name in ("written", "host")}
            length = Cohort(tuple(members)).length
            found.append({"runs": len(members), "step": checkpoint.step, "length": length, **about})
    return found


def _interim(wanted: StudyRequest, training: "Mapping[str, Owner]") -> list[dict[str, Any]]:
    told = read_interim(wanted.launch.interim_folder, training)
    levels: dict[tuple[str, str, str, str], list[float]] = {}
    for point in wanted.plan.points if told else ():
        if (pair := told.get(point.run.digest)) is not None:
            key = (point.study.name, point.setting.factor, point.setting.label, pair[0])
            levels.setdefault(key, []).append(pair[1])
    names = ("study", "factor", "level", "metric")
    return [
        {**dict(zip(names, key, strict=True)), "n": len(values), "value": sum(values) / len(values)}
        for key, values in levels.items()
    ]


def _standings(study: dict[str, Any]) -> list[dict[str, Any]]:
    """How the levels stand by the study's primary metric, the last one."""
    metric = list(study["metrics"])[-1]
    found = []
    for path, factor in study["factors"].items():
        for level in factor["levels"]:
            measured = level["metrics"].get(metric)
            if level["is_baseline"] or measured is None:
                continue
            difference = measured["difference"] or {"n": 0, "value": None, "standing": "undecided"}
            found.append(
                {
                    "study": study["study"],
                    "factor": path,
                    "level": level["label"],
                    "metric": metric,
                    "n": difference["n"],
                    "difference": difference["value"],
                    "standing": difference["standing"],
                }
            )
    return found


def _per_hour(ended: "list[str]") -> float | None:
    """Records an hour over the last half hour, or since the first of them."""
    now = datetime.now(UTC)
    recent = [moment for text in ended if now - (moment := datetime.fromisoformat(text)) <= RECENT]
    if len(recent) < 2:
        return None
    hours = max((now - recent[0]).total_seconds(), 1.0) / 3600
    return round(len(recent) / hours, 2)


def _is_final(record: "Record | None") -> bool:
    return record is not None and record.result.status in FINAL
