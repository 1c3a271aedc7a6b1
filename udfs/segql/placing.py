"""Put what was written beside its place there in one step, one writer of a place at a time."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segql.errors import SegqlError

if sys.platform != "win32":
    import fcntl

#: What a name ends with until it has its place.
PART = ".part"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only writer of a place; the lock ends with the process, however that ends.

    Raises
    ------
    SegqlError
        When another writer is at it, or the folder cannot be written.
    """
    if sys.platform == "win32":
        raise SegqlError("publishing needs an operating system with flock, such as Linux or macOS")
    file = path.with_name(f".{path.name}.lock")
    try:
        # Never removed: who waits for a removed file and who makes a new one would both have it.
        lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise SegqlError(
            f"the folder {str(path.parent)!r} cannot be written ({error.strerror})"
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(lock, 20).decode("ascii", "replace").strip()
            raise SegqlError(
                f"{str(path)!r} is being published by another process"
                f"{f' ({holder})' if holder else ''}; accepted: one at a time"
            ) from error
        # Only a message of another one says it: a full disk is no reason to stop here.
        with suppress(OSError):
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(lock)


def part_of(path: Path) -> Path:
    """Name for what is written beside a place, on the same file system."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{PART}")


def prune_parts(path: Path) -> None:
    """Remove what killed writers of a place have left: only for the one who holds its lock."""
    for item in path.parent.iterdir():
        if item.name.startswith(f".{path.name}.") and item.name.endswith((PART, f"{PART}.wal")):
            remove(item)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder; what is gone already is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def log_of(path: Path) -> Path:
    """The write-ahead log of a database file."""
    return path.with_name(f"{path.name}.wal")


def place_file(part: Path, path: Path) -> None:
    """Replace a file whole: who has the old one open keeps it, nobody sees less than one."""
    if path.exists():
        shutil.copymode(path, part)
    _to_disk(part)
    # A log of the old file is none of the new one.
    log_of(path).unlink(missing_ok=True)
    os.replace(part, path)
    _to_disk(path.parent)


def versions_of(link: Path) -> Path:
    """The folder whose versions a link leads to."""
    return link.with_name(f".{link.name}.versions")


def link_of(version: Path) -> Path | None:
    """The link that leads to a folder of its versions, None where it is gone or none of ours."""
    folder = version.parent
    if not (folder.name.startswith(".") and folder.name.endswith(".versions")):
        return None
    link = folder.with_name(folder.name[1 : -len(".versions")])
    linked = linked_version(link)
    return link if linked is not None and linked.parent == folder else None


def linked_version(link: Path) -> Path | None:
    """The version that a link leads to, None where there is no link yet."""
    return link.parent / os.readlink(link) if link.is_symlink() else None


def folder_to_disk(folder: Path) -> None:
    """Write a folder's files to the disk, before something leads to them."""
    for item in folder.iterdir():
        _to_disk(item)
    _to_disk(folder)


def check_link(link: Path) -> None:
    """Refuse a place that no link can take: a folder with files in it, or a file.

    Raises
    ------
    SegqlError
    """
    if not link.is_symlink() and (link.is_file() or (link.is_dir() and any(link.iterdir()))):
        what = "a file" if link.is_file() else "a folder with files of its own"
        raise SegqlError(
            f"parquet got {str(link)!r}, which is {what}; accepted: a name that is free, or one "
            "that was published before"
        )
    target = linked_version(link)
    if target is not None and target.parent != versions_of(link):
        raise SegqlError(
            f"parquet got {str(link)!r}, which is a link to {os.readlink(link)!r}; accepted: a "
            "name that is free, or one that was published before"
        )


def part_folder(version: Path) -> Path:
    """Make the folder that a version is written in."""
    folder = version.with_name(version.name + PART)
    folder.mkdir(parents=True)
    return folder


def part_link(version: Path, link: Path) -> Path:
    """Make the link to a version, beside its place: where none can be made, nothing is changed.

    Raises
    ------
    SegqlError
    """
    part = part_of(link)
    try:
        part.symlink_to(Path(version.parent.name) / version.name, target_is_directory=True)
    except OSError as error:
        raise SegqlError(
            f"parquet got {str(link)!r}, where no symbolic link can be made ({error.strerror}); "
            "accepted: a folder on a file system that has them"
        ) from error
    return part


def place_link(part: Path, link: Path) -> None:
    """Let a link lead to another version, in one step."""
    if link.is_dir() and not link.is_symlink():
        # Empty, as check_link saw: somebody has made it for the files to come.
        link.rmdir()
    os.replace(part, link)
    _to_disk(link.parent)


def prune_versions(link: Path, kept: set[str]) -> None:
    """Remove the versions whose names are not kept; files that are open stay readable."""
    for item in versions_of(link).iterdir():
        if item.name not in kept:
            remove(item)


def _to_disk(path: Path) -> None:
    """Write a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        # Some file systems cannot for folders; the rename is atomic there all the same.
        with suppress(OSError) if path.is_dir() else _nothing():
            os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
