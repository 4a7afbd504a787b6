"""Where the command line writes what it reads: trees are kept, and nothing meets or is overwritten."""

from pathlib import Path

import pytest

from jaxsr.cli.paths import COMPRESSED, plan


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder of (empty) images, made the current one."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "trip/b.JPG", "trip/sea/c.tif", "trip/notes.txt", "home/b.jpg"):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def planned(inputs, output, suffix=None):
    jobs, problems = plan(inputs, output, suffix)
    return {job.source.as_posix(): job.target.as_posix() for job in jobs}, problems


def test_a_folder_keeps_its_tree_and_its_suffixes(tree):
    expected = {"trip/b.JPG": "big/b.JPG", "trip/sea/c.tif": "big/sea/c.tif"}
    assert planned(["trip"], "big") == (expected, [])


def test_several_folders_keep_their_names(tree):
    jobs, _ = planned(["trip", "home/", "a.png"], "big", ".webp")
    assert jobs == {
        "trip/b.JPG": "big/trip/b.webp",
        "trip/sea/c.tif": "big/trip/sea/c.webp",
        "home/b.jpg": "big/home/b.webp",
        "a.png": "big/a.webp",
    }


def test_patterns_are_expanded_and_each_file_is_taken_once(tree):
    jobs, problems = planned(["**/*.jpg", "home/b.jpg", "*.tif"], "big")
    assert jobs == {"home/b.jpg": "big/b.jpg"}
    assert [problem.split(":")[0] for problem in problems] == ["*.tif"]


def test_names_that_differ_in_case_only_are_kept_apart(tree):
    jobs, _ = planned(["trip/b.JPG", "home/b.jpg"], "big")
    assert jobs == {"trip/b.JPG": "big/b.JPG", "home/b.jpg": "big/b-2.jpg"}


def test_results_within_the_input_folder_are_no_input_next_time(tree):
    (tree / "home/big").mkdir()
    (tree / "home/big/b.jpg").touch()
    assert planned(["home"], "home/big") == ({"home/b.jpg": "home/big/b.jpg"}, [])


def test_writing_into_the_input_folder_is_refused_unless_the_names_differ(tree):
    jobs, problems = planned(["home"], "home")
    assert jobs == {} and "would overwrite home/b.jpg" in problems[0]
    assert planned(["home"], "home", ".png") == ({"home/b.jpg": "home/b.png"}, [])


def test_one_file_may_be_given_a_name_but_several_need_a_folder(tree):
    assert planned(["a.png"], "x.webp") == ({"a.png": "x.webp"}, [])
    assert planned(["a.png"], "x.webp/") == ({"a.png": "x.webp/a.png"}, [])
    for inputs in (["home"], ["a.png", "home/b.jpg"], ["*/*.jpg", "trip"]):
        with pytest.raises(ValueError, match="give a folder"):
            plan(inputs, "x.webp")
    with pytest.raises(ValueError, match="another format than jpg"):
        plan(["a.png"], "x.webp", ".jpg")


def test_a_missing_file_is_a_job_that_reading_will_refuse(tree):
    assert planned(["nothere.png"], "big") == ({"nothere.png": "big/nothere.png"}, [])


def test_compressed_files_are_read_and_written_where_a_command_says_so(tree):
    (tree / "trip/p.jsr").touch()
    (tree / "trip/sea/q.JSR").touch()
    jobs, _ = plan(["trip"], "back", reads=COMPRESSED)
    assert [job.target.as_posix() for job in jobs] == ["back/p.png", "back/sea/q.png"]
    jobs, _ = plan(["trip"], "small", ".jsr", writes=COMPRESSED)
    assert [job.target.as_posix() for job in jobs] == ["small/b.jsr", "small/sea/c.jsr"]
    jobs, _ = plan(["a.png"], "x.JSR", ".jsr", writes=COMPRESSED)
    assert [job.target.as_posix() for job in jobs] == ["x.JSR"]
    with pytest.raises(ValueError, match=r"named \.jsr"):
        plan(["a.png"], "x.png", ".jsr", writes=COMPRESSED)
