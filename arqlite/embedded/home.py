"""Where a project keeps its data: the folder `.arqlite`, and the socket in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import EmbeddedServerError
from .keeper import SERVER_LOCK, SOCKET
from .owners import is_own

FOLDER = ".arqlite"
_ROOT_MARKS = ("pyproject.toml", ".git")
# macOS allows 103 bytes for the path of a Unix socket, Linux 107.
_LONGEST_SOCKET_PATH = 100


def data_home(data_dir: Path | None = None) -> Path:
    """The project's data folder, made if it is missing.

    Args:
        data_dir: the folder to use. Default: `$ARQLITE_HOME`, else `.arqlite` in the project's root, which is
            the nearest directory upwards from the current one with a `pyproject.toml` or `.git`, else the
            current one.

    A folder made here is readable by its owner only and holds a `.gitignore` with `*`. A folder that already
    has files gets none: its other files may be meant for git.

    Raises:
        EmbeddedServerError: the folder cannot be made or written, or is another user's, who could have put a
            false server there.
    """
    home = find_home(data_dir)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_that_of_another_user(home)
        if not any(home.iterdir()):
            (home / ".gitignore").write_text("*\n", encoding="ascii")
    except OSError as error:
        raise EmbeddedServerError(
            f"the data folder {home} cannot be used: {error}. Set ARQLITE_HOME to a folder you may write."
        ) from error
    return home


def socket_path(home: Path) -> Path:
    """The path of the server's socket: in the data folder, or where the link left there points.

    A path too long for a socket becomes a short one in a private folder of the temporary directory. The
    server's starter leaves a link in the data folder, since other processes may have another `TMPDIR`.
    """
    direct = home / SOCKET
    if len(os.fsencode(direct)) <= _LONGEST_SOCKET_PATH:
        return direct
    if direct.is_symlink():
        return Path(os.readlink(direct))
    return _detour(home)


def is_embedded(path: str) -> bool:
    """Whether a socket is that of a server that arqlite starts by itself, in whatever project."""
    socket = Path(path)
    if socket.name == SOCKET:
        return (socket.parent / SERVER_LOCK).exists()
    return socket.parent.name == _private_name() and socket.suffix == ".sock"


def prepare_socket(home: Path) -> Path:
    """Make a new server's socket path usable and findable, and return it."""
    path = socket_path(home)
    if path.parent != home:
        _make_private_folder(path.parent)
        (home / SOCKET).symlink_to(path)
    return path


def find_home(data_dir: Path | None = None) -> Path:
    """Where the data folder is or would be; see `data_home`. Makes nothing."""
    if data_dir is not None:
        return Path(data_dir).expanduser().resolve()
    if named := os.environ.get("ARQLITE_HOME"):
        return Path(named).expanduser().resolve()
    return project_root(Path.cwd()) / FOLDER


def project_root(start: Path) -> Path:
    """The nearest folder upwards that is the root of a project; where there is none, the folder itself."""
    return next(filter(is_project_root, (start, *start.parents)), start)


def is_project_root(folder: Path) -> bool:
    """Whether a folder has what the root of a project has."""
    return any((folder / mark).exists() for mark in _ROOT_MARKS)


def _refuse_that_of_another_user(home: Path) -> None:
    # Windows has no owners of this kind, and no embedded server.
    if os.name == "posix" and not (is_own(home.stat()) and is_own(home.lstat())):
        raise EmbeddedServerError(
            f"the data folder {home} is another user's, and so what is in it is not used. "
            "Set ARQLITE_HOME to a folder of your own."
        )


def _detour(home: Path) -> Path:
    # Imported here because they cost a third of this package's import time, and few projects lie this deep.
    import hashlib
    import tempfile

    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / _private_name() / f"{name}.sock"


def _private_name() -> str:
    return f"arqlite-{os.geteuid()}"


def _make_private_folder(folder: Path) -> None:
    # The temporary directory is everybody's: a folder that another user made there could hold a false server.
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise EmbeddedServerError(
            f"{folder} is not a private folder of this user (mode 700). "
            "Remove it, or set ARQLITE_HOME to a folder with a short path."
        )
