import gzip
import urllib.error

import numpy as np
import pytest

from ablate.images.data.idx_source import IdxSource
from ablate.task.errors import ConfigError
from ablate.task.kept_results import user_cache


def lay(folder, contents, packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


def problem(action):
    with pytest.raises(ConfigError) as caught:
        action()
    (line,) = caught.value.problems
    assert "\n" not in line
    return line


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("below", [".", "Tiny/raw"])
def test_root_holds_the_files_directly_or_in_torchvisions_layout(published, contents, tmp_path, packed, below):
    folder = lay(tmp_path / "root" / below, contents, packed)
    source = IdxSource(published, str(tmp_path / "root"))
    assert source.where() == source.verify() == folder
    arrays = source.read()
    assert arrays.train_images.shape == (12, 1, 3, 4)
    assert arrays.test_images.shape == (5, 1, 3, 4)
    assert arrays.train_images[:, 0].tobytes() == contents["train-images"][16:]
    assert arrays.train_labels.tolist() == [i % 3 for i in range(12)]
    assert arrays.train_labels.dtype == arrays.test_labels.dtype == np.int64
    assert arrays.classes == ("a", "b", "c")


def test_plain_and_compressed_files_may_be_mixed(published, contents, tmp_path):
    lay(tmp_path / "root", contents, packed=True)
    (tmp_path / "root" / "t10k-labels.gz").unlink()
    (tmp_path / "root" / "t10k-labels").write_bytes(contents["t10k-labels"])
    assert len(IdxSource(published, str(tmp_path / "root")).read().test_labels) == 5


def test_order_of_the_search(published, contents, tmp_path, cache):
    source = IdxSource(published)
    assert source.where() is None
    assert source.verify() is None
    in_cache = lay(cache / "Tiny" / "raw", contents)
    assert source.where() == in_cache
    in_system = lay(tmp_path / "system", contents)
    assert source.where() == in_system
    in_root = lay(tmp_path / "root", contents)
    assert IdxSource(published, str(in_root)).where() == in_root


def test_a_root_that_lacks_a_file_is_an_error_even_if_other_places_hold_it(published, contents, tmp_path):
    lay(tmp_path / "system", contents)
    root = lay(tmp_path / "root", contents)
    (root / "train-labels").unlink()
    line = problem(IdxSource(published, str(root)).where)
    assert line.startswith(f"data.root = {str(root)!r}: {root} holds no train-labels[.gz]; put ")


def test_a_root_that_does_not_exist(published, tmp_path):
    assert "there is no such folder" in problem(IdxSource(published, str(tmp_path / "none")).where)


def test_root_may_start_at_the_users_home(published, contents, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = lay(tmp_path / "mine", contents)
    assert IdxSource(published, "~/mine").where() == folder


def test_reading_what_is_nowhere_names_the_places_and_the_ways_out(published, tmp_path):
    line = problem(IdxSource(published).read)
    for part in [str(tmp_path / "system"), "ablate data tiny", "dataset-tiny", "data.root", "train-images[.gz]"]:
        assert part in line


@pytest.mark.parametrize(
    ("place", "remedy"),
    [
        ("root", "put a sound copy"),
        ("system", "reinstall Debian's dataset-tiny"),
        ("xdg/ablate", "delete it and download"),
    ],
)
def test_a_damaged_file_is_named_with_what_to_do_about_it(published, contents, tmp_path, place, remedy):
    folder = lay(tmp_path / place, contents)
    (folder / "t10k-images").write_bytes(contents["t10k-images"][:-1])
    source = IdxSource(published, str(folder) if place == "root" else None)
    for action in (source.verify, source.read, source.describe):
        line = problem(action)
        assert line.startswith(f"{folder / 't10k-images'}: is truncated")
        assert remedy in line


def test_fetch_leaves_verified_files_in_the_cache(published, contents, cache):
    source = IdxSource(published)
    asked = []

    def download(what, root):
        asked.append(what.name)
        lay(root / "Tiny" / "raw", contents, packed=True)
        lay(root / "Tiny" / "raw", contents)

    folder = source.fetch(download)
    assert folder == cache / "Tiny" / "raw" == source.where() == source.fetch(download)
    assert asked == ["tiny"]
    assert sorted(p.name for p in folder.iterdir()) == sorted(contents)
    assert [p.name for p in cache.iterdir()] == ["Tiny"]


def test_fetch_replaces_a_cache_that_lacks_files(published, contents, cache):
    lay(cache / "Tiny" / "raw", {"train-images": b"old"})
    source = IdxSource(published)
    source.fetch(lambda _, root: lay(root / "Tiny" / "raw", contents))
    assert len(source.read().train_labels) == 12


def refused(_, root):
    raise urllib.error.URLError("no route\nto host")


def gave_up(_, root):
    raise RuntimeError("Error downloading train-images")


def truncated(_, root):
    lay(root / "Tiny" / "raw", dict.fromkeys(["train-images", "train-labels", "t10k-images", "t10k-labels"], b"<html>"))


def incomplete(_, root):
    (root / "Tiny" / "raw").mkdir(parents=True)


@pytest.mark.parametrize("download", [refused, gave_up, truncated, incomplete])
def test_a_failed_download_is_one_line_and_leaves_nothing(published, cache, download):
    source = IdxSource(published)
    line = problem(lambda: source.fetch(download))
    assert "its download failed (" in line
    assert "install Debian's dataset-tiny" in line
    assert list(cache.iterdir()) == []


def test_fetch_downloads_nothing_where_a_root_is_given(published, tmp_path):
    assert "there is no such folder" in problem(lambda: IdxSource(published, str(tmp_path / "none")).fetch(gave_up))


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache() == tmp_path / ".cache" / "ablate"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    assert user_cache() == tmp_path / "c" / "ablate"
