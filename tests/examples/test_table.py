"""Results that somebody else made: judged as the example's README says; there is nothing to train, resume or search."""

import json
import re
import shlex

README = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_command_of_the_readme(example):
    table = example("table")
    (command,) = README.findall((table.folder / "README.md").read_text())
    program, *words = shlex.split(command.replace("\\\n", ""))
    assert program == "ablate"
    printed = table.ablate(*words)
    assert "A learning rate of 1.3 reaches a higher test accuracy than 0.9." in printed
    folder = table.folder / "results" / "lenet_learning_rate"
    verdicts = json.loads((folder / "summary.json").read_text())["verdicts"]
    assert {verdict["id"]: verdict["outcome"] for verdict in verdicts} == {
        "gain": "supported",
        "best": "undecided",
        "same": "supported",
    }
    assert "Which learning rate suits plain SGD on LeNet?" in (folder / "report.html").read_text()
    assert "360 of 360 values" in table.ablate("compare", str(folder / "runs.csv"), str(folder / "runs.csv"))
    assert not list(table.folder.rglob("*.db"))
    assert not table.log.exists(), table.log.read_text()
