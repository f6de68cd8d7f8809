"""Files and directories that appear whole, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.mistakes import UserError

# Stands in every directory that we wrote and lists the files that are ours, so that a
# later run may replace them; files of the user's are kept.
MARKER = ".qnnc"


def write_file(path: Path, contents: str | bytes) -> None:
    """Write a file, or leave what was there.

    Raises:
        UserError: it cannot be written.
    """
    data = contents.encode() if isinstance(contents, str) else contents
    check_writable(path)
    if path.exists() and not path.is_file():  # a device or pipe has no sibling
        with _located(path):
            path.write_bytes(data)
        return
    temporary: Path | None = None
    try:
        with _located(path):
            descriptor, name = tempfile.mkstemp(
                prefix=f".{path.name}.", dir=_folder_of(path)
            )
            temporary = Path(name)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
            mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
            temporary.chmod(mode & 0o777)
            temporary.replace(path.resolve())
            temporary = None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Refuse early what `write_file` would refuse after the work.

    Raises:
        UserError: there is no directory for the file, or it is one itself.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a directory; give the name of a file")
    _folder_of(path)


@contextmanager
def new_directory(path: Path) -> Generator[Path]:
    """A directory to fill, which takes its name `path` when all is written.

    On an error or Ctrl-C nothing of it stays. A directory that an earlier run wrote is
    replaced; files in it that are not from that run are kept.

    Raises:
        UserError: `path` cannot be written, or is a directory that we did not make.
    """
    check_replaceable(path)
    with _parents(path):
        with _located(path):
            name = tempfile.mkdtemp(prefix=f".{path.name}.", dir=_folder_of(path))
        scratch = Path(name)
        try:
            fresh = scratch / "new"
            fresh.mkdir()
            yield fresh
            with _located(path):
                _mark(fresh)
                _carry_over(path, fresh)
                _swap(path, fresh, scratch / "old")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def write_directory(path: Path, files: Mapping[str, str | bytes]) -> None:
    """Write a directory of files, or leave what was there.

    Raises:
        UserError: as for `new_directory`.
    """
    with new_directory(path) as fresh:
        write_into(fresh, files)


def write_into(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files, by relative name, below a directory of `new_directory`."""
    for name, contents in files.items():
        place = folder / name
        with _located(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            data = contents.encode() if isinstance(contents, str) else contents
            place.write_bytes(data)


def _folder_of(path: Path) -> Path:
    folder = path.resolve().parent
    if not folder.is_dir():
        raise UserError(f"{path}: there is no directory {folder}")
    return folder


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def check_replaceable(path: Path) -> None:
    """Refuse early what `new_directory` would refuse.

    Raises:
        UserError: `path` is no directory, or one that we did not make.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UserError(f"{path}: exists and is not a directory")
    if path.is_dir() and any(path.iterdir()) and not (path / MARKER).is_file():
        raise UserError(
            f"{path}: is not empty and was not written by qnnc; give another directory"
        )


@contextmanager
def _parents(path: Path) -> Generator[None]:
    """Make the directories above `path`; on an error, take them away again."""
    missing = [folder for folder in path.resolve().parents if not folder.exists()]
    try:
        with _located(path):
            path.resolve().parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


def _relative_files(folder: Path) -> list[str]:
    return sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() or file.is_symlink()
    )


def _mark(fresh: Path) -> None:
    names = _relative_files(fresh)
    (fresh / MARKER).write_text("".join(f"{name}\n" for name in names))


def _carry_over(path: Path, fresh: Path) -> None:
    """Copy the user's own files from the directory that will be replaced."""
    marker = path / MARKER
    ours = set(marker.read_text().splitlines()) if marker.is_file() else set[str]()
    for name in _relative_files(path) if path.is_dir() else []:
        if name in ours or name == MARKER or (fresh / name).exists():
            continue
        (fresh / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path / name, fresh / name, follow_symlinks=False)


def _swap(path: Path, fresh: Path, aside: Path) -> None:
    fresh.chmod(0o777 & ~_umask())
    if not path.exists():
        fresh.rename(path)
        return
    path.rename(aside)
    try:
        fresh.rename(path)
    except BaseException:
        if not path.exists():
            aside.rename(path)
        raise


@contextmanager
def _located(path: Path) -> Generator[None]:
    """Say of which output an operating-system error is."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{path}: cannot be written: {reason}") from error
