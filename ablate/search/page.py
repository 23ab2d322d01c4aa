"""What a search's page says, from its trials and the runs of its proof."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ablate.plan.design import label_of
from ablate.report.search_figures import factor_label
from ablate.report.search_page import Finding, Grid, SearchView
from ablate.search.budget import WORK
from ablate.search.found import FoundSetting, Start, answer, found_setting, starts_of
from ablate.search.proof import Confirmed, additivity, alone_labels, confirmed
from ablate.search.request import SearchRequest
from ablate.search.searcher import amount
from ablate.search.trial import PROBLEM, STATUS, VALUES
from ablate.search.trials import best_trials, counts_of, values_of
from ablate.search.understand import Understanding, understand
from ablate.task.numbers import NONE, decimals, number, signed
from ablate.task.numbers import interval as bracketed

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study

MOST_FOUND, MOST_INTERACTIONS = 10, 10
"""Rows of the tables of settings and interactions."""
LEAST_SHARE = 0.0005
"""Of an interaction that is listed: less is printed as 0.0 %."""


def search_view(
    order: SearchRequest,
    study: "Study",
    proofs: "Mapping[str, pd.DataFrame]",
    findings: Sequence[Finding],
    reports: Mapping[str, str],
) -> SearchView:
    """A search as its page shows it.

    Args:
        order: What was searched.
        study: Its trials.
        proofs: The frame of runs of the proof, by protocol.
        findings: The verdicts on the proof's claims.
        reports: Title to page of the proof's reports.
    """
    search, learnt = order.search, understand(study)
    setting, proven = found_setting(order, study), confirmed(order, study, proofs)
    starts = starts_of(order, study, setting.trial if setting is not None else None)
    counts = counts_of(study, search)
    failures = [
        t.user_attrs[PROBLEM] for t in study.trials if t.user_attrs.get(STATUS) == "failed" and PROBLEM in t.user_attrs
    ]
    warnings = [
        *([f"{order.outside[0].upper()}{order.outside[1:]}."] if order.outside else []),
        *learnt.warnings,
        *([f"{counts['failed']} settings failed; the first: {failures[0]}"] if failures else []),
    ]
    measures = [order.metric.title, *([f"{search.against} of a run"] if search.against else [])]
    return SearchView(
        name=order.study.name,
        question=order.study.question,
        facts=(
            f"sampler {search.sampler}",
            f"budget {search.budget}",
            f"{len(search.seeds)} seed{'s' * (len(search.seeds) > 1)}",
            *(f"{number} {status}" for status, number in sorted(counts.items())),
        ),
        found=_found(order, study),
        proof=_curse(order, proven),
        findings=tuple([*findings, *_additive(order, proofs)]),
        importance=_importance(learnt),
        disagreement=learnt.disagreement,
        interactions=_interactions(learnt),
        spending=_spending(order, study),
        warnings=tuple(warnings),
        measures=tuple(measures),
        factors=tuple(i.name for i in learnt.importances) or tuple(f.name for f in order.space.factors),
        reports=reports,
        command=order.command,
        answer=answer(order, setting, starts, counts.total(), proven),
        best=_setting(setting) if setting is not None else None,
        yaml=setting.yaml if setting is not None else "",
        run=setting.command if setting is not None else "",
        starts=_starts(order, setting, starts),
        starting={start.trial: start.name for start in starts},
    )


def _setting(setting: FoundSetting) -> Grid:
    rows = tuple((path, _short(value), base) for path, value, base in setting.rows)
    return Grid(f"The setting found: {setting.label}", ("factor", "value", "baseline"), rows)


def _starts(order: SearchRequest, setting: FoundSetting | None, starts: Sequence[Start]) -> Grid | None:
    if not starts or setting is None:
        return None
    best = setting.trial.values[0]
    digits = decimals([best, *(start.value for start in starts if start.value is not None)])
    rows = [
        (
            start.title,
            str(start.trial),
            NONE if start.value is None else number(start.value, digits),
            NONE if start.value is None else signed(start.value - best, digits),
            "the best setting" if start.won else "",
        )
        for start in starts
    ]
    heads = ("setting", "trial", order.metric.title, "against the best", "")
    note = "Mean over the seeds of the search; nothing stands for one that was stopped, diverged or failed."
    return Grid("Given to start from", heads, tuple(rows), note)


def _found(order: SearchRequest, study: "Study") -> Grid:
    search = order.search
    rows, best = [], best_trials(study, search, MOST_FOUND)
    digits = decimals(trial.values[0] for trial in best)
    for rank, trial in enumerate(best, start=1):
        values = trial.user_attrs.get(VALUES, {})
        own = [f"{factor_label(name)} {_short(value)}" for name, value in values_of(trial).items()]
        more = [f"{trial.values[1]:,.6g}"] if search.against else []
        shown = number(trial.values[0], digits)
        rows.append((str(rank), str(trial.number), shown, str(len(values)), *more, ", ".join(own)))
    heads = (
        "rank",
        "trial",
        order.metric.title,
        "seeds",
        *([f"{search.against} of a run"] if search.against else []),
    )
    note = " ".join(filter(None, ["Mean over seeds.", order.searching.remark, "The best of many is partly luck."]))
    return Grid("Pareto front" if search.against else "Best settings", (*heads, "setting"), tuple(rows), note)


def _curse(order: SearchRequest, settings: Sequence[Confirmed]) -> Grid | None:
    if not settings:
        return None
    digits = decimals(entry.found for entry in settings)
    rows = [
        (
            entry.label,
            str(entry.trial),
            number(entry.found, digits),
            f"{entry.seeds}",
            number(entry.confirmed, digits),
            f"{entry.n}",
            bracketed(*entry.interval, digits) if entry.interval else NONE,
            signed(entry.curse, digits),
        )
        for entry in settings
    ]
    metric = order.metric.title
    heads = ("setting", "trial", f"{metric} found", "seeds", "confirmed", "fresh seeds", "95 % interval", "luck")
    note = (
        "Luck is found minus confirmed: above zero the winner's curse, what choosing the best of noisy values adds to "
        "them; below zero the fresh seeds did better than those of the search."
    )
    return Grid("Found and confirmed", heads, tuple(rows), note)


def _additive(order: SearchRequest, proofs: "Mapping[str, pd.DataFrame]") -> list[Finding]:
    findings = []
    for protocol in order.protocols if order.search.confirm.additive else ():
        if not protocol.with_singles or protocol.name not in proofs:
            continue
        runs, metric = proofs[protocol.name], protocol.judged(order.search.metric)
        for setting, changes in order.compared.items():
            if len(changes) > 1:
                found = additivity(runs, setting, alone_labels(order, setting), metric)
                title = order.task.metrics[metric].title
                findings += [Finding(found.sentence(title))] if found is not None else []
    return findings


def _importance(learnt: Understanding) -> Grid:
    rows = tuple((factor_label(i.name), _share(i.fanova), _share(i.ped_anova), str(i.n)) for i in learnt.importances)
    note = (
        "fANOVA: share of the variance over the space. PED-ANOVA: how far the best tenth of the settings differ from "
        "all. A factor under a condition is measured among the settings where it holds."
    )
    return Grid("What mattered", ("factor", "fANOVA", "PED-ANOVA", "settings"), rows, note)


def _interactions(learnt: Understanding) -> Grid | None:
    if not learnt.interactions:
        return None
    shown = [i for i in learnt.interactions[:MOST_INTERACTIONS] if i.share >= LEAST_SHARE]
    rows = tuple((f"{factor_label(i.first)} x {factor_label(i.second)}", _share(i.share)) for i in shown)
    note = (
        "What two factors explain together beyond what each explains alone: share of the variance of a random forest "
        "fitted to the settings."
    )
    return Grid("Interactions", ("factors", "share"), rows, note)


def _spending(order: SearchRequest, study: "Study") -> Grid:
    rows, unit = [], order.work.unit
    ended = [
        (t.user_attrs.get(STATUS, "failed"), t.user_attrs.get(WORK, 0)) for t in study.trials if t.state.is_finished()
    ]
    for status, number_of in sorted(Counter(status for status, _ in ended).items()):
        rows.append((status, str(number_of), amount(sum(work for its, work in ended if its == status))))
    step = order.task.step
    called = {"samples": "training samples", "steps": f"{step}s"}.get(unit, unit)
    note = f"stopped: left early in the race over {step}s, with a partial curve that no study takes for a run."
    return Grid("Budget", ("trials", "number", called), tuple(rows), note)


def _short(value: object) -> str:
    """A value as labels print it, a number with four digits."""
    return label_of(float(f"{value:.4g}") if isinstance(value, float) else value)


def _share(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f} %"
