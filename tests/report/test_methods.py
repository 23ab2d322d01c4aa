"""The paragraph on methods says what this study's analysis did, and cites what it used and nothing else."""

import math
import re
import shutil
import subprocess
from dataclasses import replace
from importlib.metadata import version

import pytest

from ablate.analyse import analyse
from ablate.analyse.sequential import Looks
from ablate.report import analyse_study
from ablate.report.methods import bibliography, entries, methods_files
from ablate.report.view import Cited
from ablate.task.claim import Claim

TEX = shutil.which("pdflatex")


def made(study, **changes):
    view = replace(study.view, **changes)
    return methods_files(view, study.runs, study.records[0], analyse_study(view, study.runs))


def cited(text):
    return set(re.findall(r"@(\w+)", text.partition("---\n\n")[2]))


def keys(text):
    return set(re.findall(r"^@\w+\{(\w+),$", text, re.MULTILINE))


def body(study, **changes):
    return made(study, **changes)["methods.md"].partition("---\n\n")[2]


@pytest.mark.parametrize("seeds", [2, 5, 6, 10, 16])
def test_it_counts_what_the_study_has(make_study, seeds):
    study = make_study(["optimizer.lr"], seeds=seeds)
    text = body(study)
    assert f"Every level has {seeds} seeds (0 to {seeds - 1}): {9 * seeds} runs, all complete" in text
    assert "The 8 comparisons on each measure" in text
    assert "learning rate 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7 (baseline 0.9)" in text
    assert ("over all sign vectors" in text) == (seeds <= 14)
    assert ("19,999 random sign vectors" in text) == ("phipson2010" in text) == (seeds > 14)
    assert ("paired t test's p" in text) == ("holm1979" in text) == (seeds < 6)
    assert ("Bonferroni's quantile" in text) == (seeds < 6)
    assert ("from 8 runs on" in text) == (seeds >= 8)


def test_what_is_exact_is_said_not_to_be_tested(make_study):
    study = make_study(["model.kernel_size"], seeds=2)
    assert "without a test" not in body(study)
    metrics = tuple(replace(metric, exact=metric.name == "train_acc") for metric in study.view.metrics)
    text = body(study, metrics=metrics)
    assert "train accuracy follows from the setting and not from the seed, and is compared without a test." in text


def test_one_seed_has_neither_interval_nor_test(make_study):
    text = body(make_study(["optimizer.lr"], seeds=1))
    assert "Every level has 1 seed (0)" in text
    assert "No level is tested against a baseline." in text
    assert cited("---\n\n" + text) & {"student1908", "westfall1993", "fisher1935", "bouthillier2021"} == set()


def test_the_correction_is_the_study_s(make_study):
    study = make_study(["optimizer.lr"])
    by_max_t, by_holm = body(study), body(study, correction="holm")
    assert "step-down max-T" in by_max_t
    assert "westfall1993" in by_max_t
    assert "holm1979" not in by_max_t
    assert "Holm's rule" in by_holm
    assert "holm1979" in by_holm
    assert "westfall1993" not in by_holm


def test_lost_runs_are_counted_and_how_they_rank_is_said(make_study):
    lost = {("optimizer.lr", 1.0, 0): "diverged", ("optimizer.lr", 1.1, 1): "failed"}
    text = body(make_study(["optimizer.lr"], statuses=lost))
    assert "90 runs, of which 1 diverged, 1 failed" in text
    assert "each ranks below every finished run" in text
    assert "each ranks below" not in body(make_study(["optimizer.lr"]))


def test_claims_bring_their_tests(make_study):
    study = make_study(["optimizer.lr"])
    better = Claim("a", "A.", "better", "optimizer.lr", "test_acc", (1.3, 0.9))
    same = Claim("b", "B.", "equivalent", "optimizer.lr", "test_acc", (1.3, 1.2), margin=0.02)
    peak = Claim("c", "C.", "peaks_inside", "optimizer.lr", "test_acc")
    none, one, two, three = (body(study, claims=claims) for claims in ((), (better,), (better, same), (peak,)))
    assert "judged" not in none
    assert "One claim is" in one
    assert {"schuirmann1987", "holm1979", "berger1982"} & cited("---\n\n" + one) == set()
    assert "2 claims are" in two
    assert "equivalence within 0.02 by two one-sided paired t tests at 5 % [@schuirmann1987]" in two
    assert "[@holm1979]" in two
    assert "[@berger1982]" in three


def test_published_numbers_name_their_source_and_runs(make_study):
    text = body(make_study(["optimizer.lr"]))
    assert "the article, Table 3" in text
    assert "for the mean of 10 further runs [@hahn1991]" in text
    assert "hahn1991" not in body(make_study(["optimizer.lr"], published=False))


def test_looks_are_those_of_the_file(make_study):
    study = make_study(["model.kernel_size"], seeds=10)
    looks = Looks((6, 10), 0.05, 0.002)
    view = replace(study.view, looks=looks, metrics=study.view.metrics[-1:])
    analysis = analyse(study.runs, metrics=view.metrics, looks=looks)
    text = methods_files(view, study.runs, study.records[0], analysis)["methods.md"]
    assert "looks at 6, 10 seeds fixed beforehand" in text
    assert "within 0.002 of the baseline" in text
    assert {"lan1983", "mehta1994", "jennison1989"} <= cited(text)
    assert "westfall1993" not in text


def test_software_is_that_of_the_records(make_study):
    study = make_study(["optimizer.lr"])
    records = study.records[0].assign(**{"provenance.versions.torch": "9.8.7", "provenance.cpu": "A Processor"})
    analysis = analyse_study(study.view, study.runs)
    text = methods_files(replace(study.view, libraries=("torch",)), study.runs, records, analysis)["methods.md"]
    assert "PyTorch 9.8.7 [@paszke2019], on A Processor" in text
    assert f"SciPy {version('scipy')} [@virtanen2020]" in text
    other = methods_files(study.view, study.runs, records, analysis)["methods.md"]
    assert "paszke2019" not in other, "somebody's own program need not have used it"


@pytest.mark.parametrize("factors", [["optimizer.lr"], ["model.pooling", "train.batch_size"]])
@pytest.mark.parametrize("seeds", [1, 3, 10])
def test_the_bibliography_is_exactly_what_is_cited(make_study, factors, seeds):
    files = made(make_study(factors, seeds=seeds))
    assert list(files) == ["methods.md", "methods.tex", "references.bib"]
    wanted = cited(files["methods.md"])
    assert keys(files["references.bib"]) == wanted
    assert {
        key for group in re.findall(r"\\cite\{([^}]*)\}", files["methods.tex"]) for key in group.split(",")
    } == wanted


def test_every_entry_can_be_cited_and_is_whole():
    sources = "".join(
        path.read_text()
        for folder in ("report", "search")
        for path in (__import__("pathlib").Path(__file__).parents[2] / "ablate" / folder).glob("*.py")
    )
    for key, entry in entries().items():
        assert f'"{key}"' in sources, f"{key} is never cited"
        assert entry.count("{") == entry.count("}"), key
        fields = set(re.findall(r"^  (\w+) = ", entry, re.MULTILINE))
        wanted = {
            "book": {"publisher"},
            "article": {"journal", "volume", "pages"},
            "inproceedings": {"booktitle", "pages"},
        }
        assert {"author", "title", "year"} | wanted[entry[1:].partition("{")[0]] <= fields, key
        assert key[-4:] == re.search(r"year = \{(\d{4})\}", entry)[1]
    with pytest.raises(KeyError):
        bibliography(["nobody1900"])


def test_names_of_others_are_no_markup(make_study):
    study = make_study(["model.pooling"], seeds=2)
    factor = replace(study.view.factors[0], label="a_b*c* & {x} [@fake2000]")
    files = made(study, factors=(factor,), origin=(("Found by ", Cited("akiba2019"), "."),))
    assert r"a\_b \& \{x\}".replace(" ", "") in files["methods.tex"].replace("*c*", "").replace(" ", "")
    assert r"a\_b\*c\* &amp; {x} \[@fake2000\]" in files["methods.md"]
    assert "fake2000" not in files["references.bib"]
    assert "akiba2019" in files["references.bib"]


@pytest.mark.skipif(TEX is None, reason="there is no pdflatex here (CI installs no TeX: 200 MB)")
def test_the_paragraph_and_its_bibliography_compile(make_study, tmp_path):
    claims = (Claim("b", "B.", "equivalent", "optimizer.lr", "test_acc", (1.3, 1.2), margin=0.02),)
    study = make_study(["optimizer.lr", "train.batch_size"], statuses={("optimizer.lr", 1.0, 0): "diverged"})
    files = made(study, claims=claims, origin=(("Naïve λ ‰: searched", Cited(*entries()), "."),))
    assert keys(files["references.bib"]) == set(entries())
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    paper = r"\documentclass{article}\begin{document}\input{methods}\bibliographystyle{plain}\bibliography{references}"
    (tmp_path / "paper.tex").write_text(paper + r"\end{document}")
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    for command in (latex, ["bibtex", "paper"], latex, latex):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-2000:]
        if command[0] == "bibtex":
            assert "Warning" not in done.stdout
    assert "undefined" not in done.stdout


def test_a_pdf_is_as_wide_as_a_column(make_study, tmp_path):
    from ablate.report import write_report

    study = make_study(["model.pooling"], seeds=3)
    files = write_report(study.view, study.runs, study.curves, tmp_path, records=study.records, with_pdf=True)
    pdfs = [path.read_bytes() for path in files if path.suffix == ".pdf"]
    assert len(pdfs) == sum(path.suffix == ".png" for path in files) > 0
    for content in pdfs:
        box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", content)
        assert math.isclose(float(box[1]), 3.3 * 72, abs_tol=0.5)
        assert b"CreationDate" not in content
