"""The options that all tasks share: which folders, how many images, where results go."""

from pathlib import Path

from jaxsr.atomic import make_folder
from jaxsr.errors import UserError
from jaxsr.evaluation import originals


def folders_of(data: str) -> list[str]:
    """Return the folders named, separated by commas; raise UserError where one has no images."""
    folders = folders_in(data)
    for folder in folders:
        originals.check_folder(folder)
    return folders


def folders_in(data: str) -> list[str]:
    """Return the folders named, separated by commas; raise UserError where there are none."""
    folders = [folder for folder in data.split(",") if folder]
    if not folders:
        raise UserError(
            "no originals to evaluate on; give one or more folders of images: "
            "--config.data=DIR[,DIR…], as in --config.data=sets/Set5"
        )
    return folders


def limit_of(limit: int) -> int | None:
    """Return how many images of each folder are taken; None: all. Raises UserError below 0."""
    if limit < 0:
        raise UserError(f"config.limit is {limit}; give 0 for all images, or a number")
    return limit or None


def check_output(path: str, option: str, suffix: str) -> None:
    """Make the folder of the file that ``config.OPTION`` names, if it names one.

    Raises:
      UserError: the folder cannot be made, or ``path`` is one.
    """
    if not path:
        return
    make_folder(Path(path).parent)
    if Path(path).is_dir():
        raise UserError(f"{path}: a folder; give --config.{option}=FILE{suffix}")


def path_for(path: str, name: str, count: int) -> Path:
    """Return the file for the results of the folder ``name``: FILE, or FILE-NAME of several."""
    return Path(path) if count == 1 else Path(path).with_stem(f"{Path(path).stem}-{name}")
