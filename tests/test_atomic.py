"""Files are read and written whole, with the permissions that they should have."""

import os
import stat

import pytest

from jaxsr.atomic import make_folder, read_bytes, replacing, write_bytes
from jaxsr.errors import UserError


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_that_the_process_gives(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "a", b"1")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "a") == 0o666 & ~mask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    path.chmod(mode)
    write_bytes(path, b"2")
    assert path.read_bytes() == b"2" and mode_of(path) == mode


def test_a_file_that_fails_leaves_the_old_one_and_nothing_else(tmp_path):
    write_bytes(tmp_path / "a", b"1")
    with pytest.raises(RuntimeError), replacing(tmp_path / "a") as file:
        file.write(b"2")
        raise RuntimeError
    assert read_bytes(tmp_path / "a") == b"1" and len(list(tmp_path.iterdir())) == 1


def test_what_a_user_can_cause_is_said_in_words(tmp_path):
    (tmp_path / "empty").touch()
    for name, says in (("none", "no such file"), ("", "is a folder"), ("empty", "is empty")):
        with pytest.raises(UserError, match=says):
            read_bytes(tmp_path / name)
    with pytest.raises(UserError, match="cannot be read"):
        read_bytes(tmp_path / "empty" / "a")
    with pytest.raises(UserError, match="cannot be written"):
        write_bytes(tmp_path / "none" / "a", b"1")
    for name in ("empty", "empty/a/b"):
        with pytest.raises(UserError, match=r"the folder cannot be made \(.*/empty is a file"):
            make_folder(tmp_path / name)
    with pytest.raises(UserError, match=r"/dev/full.*cannot be written|cannot be written"):
        write_bytes("/dev/full/a", b"1")
