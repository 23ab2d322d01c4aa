"""What is composed between commands is kept for as long as the files, the options and the code are as they were."""

import json

import pytest

from ablate.images.task import IMAGES
from ablate.plan import configuration
from ablate.plan.configuration import Composer
from ablate.task.errors import ConfigError
from ablate.task.task import Configuration


@pytest.fixture
def composed(folder, write, monkeypatch):
    """Composes anew, as another command does; gives what was composed and whether Hydra did it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    write("conf/config.yaml", "defaults: [{net: small}, _self_]\nlr: 0.1\nwidth: ${net.width}\n")
    write("conf/net/small.yaml", "width: 4\n")
    write("conf/net/large.yaml", "width: 8\n")
    calls = []
    of_folder = Composer._of_folder
    monkeypatch.setattr(Composer, "_of_folder", lambda self, choices: calls.append(1) or of_folder(self, choices))

    def compose(*choices, **more):
        calls.clear()
        composer = Composer(Configuration(folder / "conf", groups=("net",), **more))
        return composer.compose(choices), composer.chosen(choices)["net"], composer.options("net"), bool(calls)

    return compose


def test_a_later_command_gets_what_hydra_composed(composed):
    first = composed()
    assert first == ({"lr": 0.1, "width": "${net.width}", "net": {"width": 4}}, "small", ("large", "small"), True)
    assert composed() == (*first[:3], False)
    assert composed("net=large") == ({**first[0], "net": {"width": 8}}, "large", ("large", "small"), True)
    assert composed("net=large")[3] is False
    assert composed() == (*first[:3], False)


def test_what_changed_is_composed_anew(composed, write, monkeypatch):
    composed()
    write("conf/net/small.yaml", "width: 5\n")
    values, *_, was_composed = composed()
    assert (values["net"]["width"], was_composed) == (5, True)
    write("conf/net/new.yaml", "width: 1\n")
    assert composed()[2:] == (("large", "new", "small"), True)
    options = {"net": {"own": {"width": 9}}}
    assert composed(options=options)[2:] == (("large", "new", "own", "small"), True)
    assert composed("net=own", options=options)[0]["net"] == {"width": 9}
    assert composed(overrides=("lr=0.5",))[0]["lr"] == 0.5
    assert composed()[0]["lr"] == 0.1
    assert composed()[3] is False
    monkeypatch.setattr(configuration, "code_digest", lambda *_: "other code")
    assert composed()[3]


def test_a_damaged_file_is_made_anew(composed, folder):
    first = composed()
    files = list((folder / "cache" / "ablate" / "compositions").iterdir())
    assert len(files) == 2
    for damage in (lambda text: text[: len(text) // 2], lambda text: text.replace("0.1", "0.2"), lambda _: "[1]"):
        for file in files:
            file.write_text(damage(file.read_text()))
        assert composed() == first
        assert composed()[3] is False


def test_what_other_files_are_part_of_or_json_cannot_hold_is_composed_each_time(composed, write):
    write("conf/config.yaml", "defaults: [{net: small}, _self_]\nrates: {1: 0.5, 2: 0.1}\n")
    found = [composed() for _ in range(2)]
    assert found[0] == found[1]
    assert found[0][0]["rates"] == {1: 0.5, 2: 0.1}
    assert found[0][3]
    write("conf/config.yaml", "defaults: [{net: small}, _self_]\nwhere: ${oc.env:HOME}\n")
    assert composed()[3]
    assert composed()[3]


def test_the_projects_own_files_and_what_else_finds_files_count(folder, write, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))

    def rates():
        composer = Composer(IMAGES.configuration)
        return composer.compose(["optimizer=sgd"])["optimizer"]["lr"], "gentle" in composer.options("optimizer")

    assert rates() == (0.9, False)
    write("conf/optimizer/gentle.yaml", "name: sgd\nlr: 0.01\n")
    assert rates() == (0.9, True)
    write("conf/optimizer/sgd.yaml", "name: sgd\nlr: 0.3\n")
    assert rates() == (0.3, True)
    write("conf/optimizer/sgd.yaml", "name: sgd\nlr: 0.4\n")
    assert rates() == (0.4, True)
    assert Composer(IMAGES.configuration)._content is not None
    write("elsewhere/other.yaml", "name: sgd\n")
    (folder / "conf" / "schedule").symlink_to(folder / "elsewhere")
    assert Composer(IMAGES.configuration)._content is None
    (folder / "conf" / "schedule").unlink()
    write("lib/hydra_plugins/theirs/path.py", "class Theirs(SearchPathPlugin): ...\n")
    monkeypatch.syspath_prepend(folder / "lib")
    assert Composer(IMAGES.configuration)._content is None


def test_a_faulty_choice_is_told_each_time(composed):
    for _ in range(2):
        with pytest.raises(ConfigError, match="huge"):
            composed("net=huge")


def test_without_a_cache_all_works(composed, folder, monkeypatch):
    (folder / "cache").write_text("a file")
    assert composed() == composed()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("pathlib.Path.home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert composed()[3]


def test_kept_files_are_small_and_readable(composed, folder):
    composed()
    for file in (folder / "cache" / "ablate" / "compositions").iterdir():
        assert json.loads(file.read_text()).keys() == {"key", "check", "value"}


def test_what_hydra_does_not_compose_is_not_read(composed, folder):
    """A terabyte of zeros, of which nothing is on the disk."""
    composed()
    with (folder / "conf" / "weights.bin").open("wb") as file:
        file.truncate(10**12)
    assert composed()[3] is False


def test_a_link_to_a_folder_that_it_is_in_is_named(composed, folder):
    (folder / "conf" / "net" / "loop").symlink_to(folder / "conf")
    with pytest.raises(ConfigError, match=r"net/loop: is a link to a folder that it is in"):
        composed()
