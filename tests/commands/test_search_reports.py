"""A search's report: where it goes when the command line changes it, and the command that leads to it again."""

import re
import shlex


def command_of(page):
    return shlex.split(
        re.search(r"<pre[^>]*>(ablate search .*?)</pre>", page.read_text()).group(1).replace("&#39;", "'")
    )


def test_a_search_changed_on_the_command_line_takes_no_other_s_place(results, ablate):
    folder = results("search", "search_heldout")
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    question = "study.question=Which is best?"
    ablate("report", "search", question)
    assert {file: file.read_bytes() for file in before} == before
    (own,) = folder.glob("search@*")
    for page in (own / "search.html", own / "report.html", *folder.glob("search_heldout@*/report.html")):
        assert command_of(page) == ["ablate", "search", "search", question]
    said = ablate("report", "search", "study.search.seeds=1", code=2)
    assert "no trials of this search; start it with: ablate search search study.search.seeds=1" in said
