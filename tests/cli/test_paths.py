"""Where the command line writes what it reads: by one rule, and nothing by accident."""

import argparse
from pathlib import Path

import pytest

from jaxsr.cli import paths
from jaxsr.cli.paths import COMPRESSED
from jaxsr.errors import UserError


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder of (empty) images, made the current one."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "trip/b.JPG", "trip/sea/c.tif", "trip/notes.txt", "home/b.jpg"):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def plan(inputs, output, suffix=None, *, overwrite=False, more=(), **kinds):
    arguments = argparse.Namespace(inputs=inputs, output=output, overwrite=overwrite, **dict(more))
    return paths.plan(arguments, suffix, **kinds)


def planned(*arguments, **options):
    made = plan(*arguments, **options)
    return {job.source.as_posix(): job.target.as_posix() for job in made.jobs}, made.problems


def test_a_folder_keeps_its_tree_and_its_suffixes(tree):
    expected = {"trip/b.JPG": "big/b.JPG", "trip/sea/c.tif": "big/sea/c.tif"}
    assert planned(["trip"], "big") == (expected, [])


def test_several_folders_keep_their_names(tree):
    jobs, _ = planned(["trip", "home/", "a.png"], "big", ".webp")
    assert jobs == {
        "trip/b.JPG": "big/trip/b.JPG.webp",
        "trip/sea/c.tif": "big/trip/sea/c.tif.webp",
        "home/b.jpg": "big/home/b.jpg.webp",
        "a.png": "big/a.png.webp",
    }


@pytest.mark.parametrize("suffix", [None, ".png"])
def test_what_is_written_is_of_the_format_asked_for(tree, suffix):
    jobs, _ = planned(["a.png"], "big", suffix, more={"format": "tiff"})
    assert jobs == {"a.png": "big/a.png.tiff"}
    assert planned(["a.png"], "big", suffix, more={"format": None})[0] == {"a.png": "big/a.png"}


def test_patterns_are_expanded_and_each_file_is_taken_once(tree):
    jobs, problems = planned(["**/*.jpg", "home/b.jpg", "*.tif"], "big")
    assert jobs == {"home/b.jpg": "big/b.jpg"}
    assert [problem.split(":")[0] for problem in problems] == ["*.tif"]


def test_two_inputs_of_one_target_are_a_problem_that_names_both(tree):
    jobs, problems = planned(["trip/b.JPG", "home/b.jpg", "a.png"], "big")
    assert jobs == {"a.png": "big/a.png"}
    assert (
        problems
        == [
            "trip/b.JPG and home/b.jpg: would both be written to big/b.JPG; "
            "run them apart, to other outputs"
        ]
        or "trip/b.JPG and home/b.jpg" in problems[0]
    )


def test_a_name_depends_on_its_own_input_alone(tree):
    alone, _ = planned(["home"], "big", ".png")
    (tree / "home/b.png").touch()
    (tree / "home/b.webp").touch()
    together, problems = planned(["home"], "big", ".png")
    assert problems == [] and together == alone | {
        "home/b.png": "big/b.png",
        "home/b.webp": "big/b.webp.png",
    }


def test_results_within_the_input_folder_are_no_input_next_time(tree):
    (tree / "home/big").mkdir()
    (tree / "home/big/b.jpg").touch()
    expected = {"home/b.jpg": "home/big/b.jpg"}, []
    assert planned(["home"], "home/big", overwrite=True) == expected


def test_writing_into_the_input_folder_is_refused_unless_the_names_differ(tree):
    jobs, problems = planned(["home"], "home")
    assert jobs == {} and "would overwrite home/b.jpg" in problems[0]
    assert planned(["home"], "home", ".png") == (
        {"home/b.jpg": "home/b.jpg.png"},
        [],
    )


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
    (tree / "trip/d.jpg.jsr").touch()
    (tree / "trip/e.png.jsr").touch()
    jobs, _ = planned(["trip"], "back", reads=COMPRESSED)
    targets = ["back/d.jpg.png", "back/e.png", "back/p.png", "back/sea/q.png"]
    assert sorted(jobs.values()) == targets
    jobs, _ = planned(["trip"], "small", ".jsr", writes=COMPRESSED)
    assert list(jobs.values()) == ["small/b.JPG.jsr", "small/sea/c.tif.jsr"]
    jobs, _ = planned(["a.png"], "x.JSR", ".jsr", writes=COMPRESSED)
    assert list(jobs.values()) == ["x.JSR"]
    with pytest.raises(ValueError, match=r"named \.jsr"):
        plan(["a.png"], "x.png", ".jsr", writes=COMPRESSED)


def test_what_exists_is_skipped_and_what_is_half_there_is_a_problem(tree):
    (tree / "big").mkdir()
    (tree / "big/a.png").touch()
    made = plan(["a.png", "home/b.jpg"], "big")
    assert [job.source.name for job in made.jobs] == ["b.jpg"] and made.skipped == 1
    assert len(plan(["a.png", "home/b.jpg"], "big", overwrite=True).jobs) == 2
    made = plan(["a.png"], "big", more={"mask_out": "masks"})
    assert made.problems == ["a.png: big/a.png exists; --overwrite replaces it"]


@pytest.mark.parametrize("flag", ["roi", "model", "segmenter", "restorer", "upscaler"])
def test_what_a_command_reads_is_never_written(tree, flag):
    (tree / "big").mkdir()
    (tree / "big/a.png").touch()
    made = plan(["a.png", "home/b.jpg"], "big", overwrite=True, more={flag: "big/a.png"})
    assert [job.source.name for job in made.jobs] == ["b.jpg"]
    assert "a.png: would overwrite big/a.png, the " in made.problems[0]


def test_a_link_to_an_input_is_not_written_either(tree):
    (tree / "link.png").symlink_to(tree / "a.png")
    _, problems = planned(["a.png"], "link.png", overwrite=True)
    assert "a.png: would overwrite link.png, an input" in problems[0]


def test_a_folder_may_be_named_with_a_dot(tree):
    assert planned(["home"], "out.v2") == ({"home/b.jpg": "out.v2/b.jpg"}, [])
    (tree / "made.v3").mkdir()
    assert planned(["a.png"], "made.v3") == ({"a.png": "made.v3/a.png"}, [])
    with pytest.raises(UserError, match=r"out\.v2: \.v2 is no image format.*or out\.v2/ for a"):
        plan(["a.png"], "out.v2")


def test_a_dash_is_stdin_or_stdout_and_a_file_of_that_name_is_said_otherwise(tree):
    (job,) = plan(["-"], "x.png").jobs
    assert job.source == paths.STREAM and job.target == Path("x.png")
    (job,) = plan(["a.png"], "-").jobs
    assert job.target == paths.STREAM and job.suffix == ".png" and job.written == []
    (job,) = plan(["-"], "-").jobs
    assert job.suffix is None
    (tree / "-").touch()
    (job,) = plan(["./-"], "x.png").jobs
    assert job.source == tree / "-"


def test_a_single_target_follows_the_same_rule(tree):
    target = tree / "home/b.jpg"
    assert not paths.check_target(target, ["a.png"], overwrite=False)
    assert paths.check_target(target, ["a.png", "nothere"], overwrite=True)
    for inputs in ([target], ["home"]):
        with pytest.raises(UserError, match="is read; choose another output"):
            paths.check_target(target, inputs, overwrite=True)
