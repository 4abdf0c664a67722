"""Files that are written whole or not at all: what a failure leaves behind."""

from pathlib import Path

import pytest

from study.whole_files import write_whole


def test_what_is_written_takes_the_place_of_what_was(tmp_path: Path) -> None:
    write_whole(tmp_path / "page.html", "old")
    write_whole(tmp_path / "page.html", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text() == "new"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(folder, "text")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "page.html", "\ud800")
    assert list(tmp_path.iterdir()) == [folder]
