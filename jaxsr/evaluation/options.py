"""What the tasks share: which folders, which images of them, where results go."""

from pathlib import Path

from jaxsr.errors import UserError
from jaxsr.evaluation import originals


def folders_of(data: str) -> list[str]:
    """The folders named, separated by commas, each known to hold images before any work is done."""
    folders = folders_in(data)
    for folder in folders:
        originals.check_folder(folder)
    return folders


def folders_in(data: str) -> list[str]:
    """The folders named, separated by commas."""
    folders = [folder for folder in data.split(",") if folder]
    if not folders:
        raise UserError("no originals to evaluate on; give --config.data=DIR[,DIR…]")
    return folders


def limit_of(limit: int) -> int | None:
    """How many images of each folder are taken; None for all."""
    if limit < 0:
        raise UserError(f"config.limit is {limit}; give 0 for all images, or a number")
    return limit or None


def check_output(path: str, option: str, suffix: str) -> None:
    """Makes the folder that ``config.OPTION`` lies in; no path is no output."""
    if not path:
        return
    make_folder(Path(path).parent)
    if Path(path).is_dir():
        raise UserError(f"{path}: a folder; give --config.{option}=FILE{suffix}")


def path_for(path: str, name: str, count: int) -> Path:
    """A file of ``count`` folders' results, or the one of the folder ``name``: ``FILE-FOLDER``."""
    return Path(path) if count == 1 else Path(path).with_stem(f"{Path(path).stem}-{name}")


def make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be made ({error.strerror})") from None
