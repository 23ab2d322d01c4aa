"""The measurement of a large store, with a small one: it finds what it has made, and writes its table."""

import pytest

from benchmarks.scale import command, main


def test_a_small_store_is_measured_and_its_table_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--levels", "3", "2", "--seeds", "6", "--metrics", "3", "--steps", "5", "--repeats", "1"]
    main([*words, "--folder", "made", "--out", "scale.md"])
    title, _, by, _, heads, _, *rows = (tmp_path / "scale.md").read_text().splitlines()
    assert title == "# 36 runs in one store"
    assert "python -m benchmarks.scale --levels 3 2 --seeds 6 --metrics 3 --steps 5 --repeats 1" in by
    assert heads == "| what | processor, s | passed, s | memory, MiB |"
    table = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0].partition("`, ")[0] for row in table[:3]] == [
        f"`ablate {word} part" for word in ("plan", "sweep", "report")
    ]
    assert all(float(row[1]) > 0 and float(row[2]) > 0 for row in table[:3])
    # The interpreter with pandas, and not this process, which has more in memory than any command.
    assert all(20 < float(row[3]) < 600 for row in table[:3])
    stages = {row[0]: float(row[1]) for row in table[3:]}
    assert all(name.startswith("24 runs: ") for name in stages), "4 settings of 6, with 6 seeds each"
    *each, together = stages.values()
    assert together == pytest.approx(sum(each), abs=0.01 * len(each))
    study = (tmp_path / "made" / "part" / "table.csv").read_text().splitlines()
    assert len(study) == 1 + 3 + 2
    monkeypatch.chdir(tmp_path / "made")
    with pytest.raises(RuntimeError, match=r"ablate plan nothing: .*'nothing'"):
        command(["plan", "nothing"], 1)
