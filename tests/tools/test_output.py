"""Files and directories appear whole or not at all."""

from pathlib import Path

import pytest

from tools.mistakes import UserError
from tools.output import MARKER, new_directory, write_directory, write_file


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_file_replaces_another_and_keeps_its_permissions(tmp_path: Path):
    place = tmp_path / "a.txt"
    write_file(place, "one")
    place.chmod(0o640)
    write_file(place, b"two")
    assert place.read_text() == "two"
    assert place.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == {"a.txt"}


def test_file_through_a_symbolic_link(tmp_path: Path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_file(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_directory_is_made_with_its_parents(tmp_path: Path):
    write_directory(tmp_path / "a" / "b", {"x.sv": "x", "deep/y.mem": b"y"})
    assert names(tmp_path / "a" / "b") == {"x.sv", "deep", "deep/y.mem", MARKER}


def test_directory_of_ours_is_replaced_and_foreign_files_are_kept(tmp_path: Path):
    place = tmp_path / "out"
    write_directory(place, {"old.sv": "1", "both.sv": "1"})
    (place / "obj").mkdir()
    (place / "obj" / "mine").write_text("mine")
    write_directory(place, {"both.sv": "2", "new.sv": "2"})
    assert names(place) == {"both.sv", "new.sv", "obj", "obj/mine", MARKER}
    assert (place / "both.sv").read_text() == "2"
    assert names(tmp_path) == {"out", *(f"out/{name}" for name in names(place))}


def test_empty_directory_may_be_filled(tmp_path: Path):
    write_directory(tmp_path, {"x": "x"})
    assert names(tmp_path) == {"x", MARKER}


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, UserError])
def test_nothing_stays_after_an_error(error: type[BaseException], tmp_path: Path):
    place = tmp_path / "a" / "b"

    def fill() -> None:
        with new_directory(place) as fresh:
            (fresh / "half").write_text("half")
            raise error

    with pytest.raises(error):
        fill()
    assert names(tmp_path) == set()


def test_old_directory_survives_an_error(tmp_path: Path):
    place = tmp_path / "out"
    write_directory(place, {"x": "old"})

    def fill() -> None:
        with new_directory(place) as fresh:
            (fresh / "x").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert (place / "x").read_text() == "old"
    assert names(tmp_path) == {"out", "out/x", f"out/{MARKER}"}


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("file", "exists and is not a directory"),
        ("foreign", "is not empty and was not written by qnnc"),
        ("link", "exists and is not a directory"),
        ("below a file", "cannot be written: Not a directory"),
    ],
)
def test_directory_refused(kind: str, says: str, tmp_path: Path):
    place = tmp_path / "out"
    match kind:
        case "file":
            place.write_text("mine")
        case "foreign":
            place.mkdir()
            (place / "mine").write_text("mine")
        case "link":
            (tmp_path / "real").mkdir()
            place.symlink_to(tmp_path / "real")
        case _:
            place.write_text("mine")
            place = place / "inner" / "most"
    before = names(tmp_path)
    with pytest.raises(UserError, match=says):
        write_directory(place, {"x": "x"})
    assert names(tmp_path) == before
