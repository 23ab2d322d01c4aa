"""The benchmark of whole commands on a folder of its own."""

import json

from benchmarks.commands import COMMANDS, Command, Took, main, row, table

FACTS = {
    "cpu": "a processor",
    "cores": 2,
    "cpu_capability": "AVX2",
    "system": "Linux",
    "versions": {"python": "3.11"},
    "commit": "abc",
    "dirty": False,
    "date": "today",
    "load_before": 0.1,
    "load_after": 0.2,
}


def test_a_row_holds_medians_and_what_was_asked():
    command = Command(("plan", "lr"), "again", 1.5)
    found = row(command, [Took(3.0, 1.0), Took(1.0, 2.0), Took(2.0, 4.0)])
    assert list(found.values()) == ["`ablate plan lr`", "again", 2.0, "1.00 to 3.00", 2.0, "1.5"]
    text = table([found], {"first runs in training": 12.34, "first record": None}, FACTS, 3, 9.0)
    assert "| `ablate plan lr` | again | 2.00 | 1.00 to 3.00 | 2.00 | 1.5 |" in text
    assert "first runs in training after 12.3 s, first record not within 9 s" in text
    assert "load average before: 0.1" in text


def test_commands_are_measured_in_a_folder_with_the_committed_records(tmp_path, monkeypatch, capsys):
    few = [command for command in COMMANDS if command.words in (("sweep", "lr"), ("plan", "lenet_article"))]
    monkeypatch.setattr("benchmarks.commands.COMMANDS", few)
    assert main(["--repeats", "1", "--no-demo", "--out", str(tmp_path)]) == 0
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()[:-1]]
    assert [one[""] for one in found] == ["again", "first", "again"]
    assert all(one["seconds"] > 0 and one["CPU seconds"] > 0 for one in found)
    assert "`ablate sweep lr`" in (tmp_path / "commands.md").read_text()
