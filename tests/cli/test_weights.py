"""Runs of segmenters and restorers become weights that the command line knows."""

import re

import grain
import jax
import optax
import pytest

from jaxsr.cli import convert, main
from jaxsr.training.checkpoints import Checkpoints
from jaxsr.training.config import default_config
from jaxsr.training.state import new_state
from jaxsr.zoo import kinds, weights

RUNS = {
    "segmentation": (kinds.SEGMENTER, "attention_unet", {"features": (4, 4, 4, 8), "classes": 3}),
    "restoration": (kinds.RESTORER, "window_restorer", {"features": 8, "heads": 2, "blocks": 1}),
}


@pytest.fixture(params=RUNS)
def run(request, random_params, tmp_path):
    """A working directory with one checkpoint, its kind, network and parameters."""
    kind, name, options = RUNS[request.param]
    network = kind.create(name, **options)
    params = random_params(network, *kind.inputs(network))
    config = default_config(request.param)
    config.model.update(name=name, options=options)
    checkpoints = Checkpoints(tmp_path / "run")
    data = iter(grain.MapDataset.range(2).to_iter_dataset())
    checkpoints.save(new_state(params, optax.sgd(0.1)), data, config)
    checkpoints.close()
    return kind, name, params


def test_a_run_is_converted_and_the_command_for_it_named(run, tmp_path, capsys):
    kind, name, params = run
    target = tmp_path / "mine.safetensors"
    assert main(["convert", str(tmp_path / "run"), str(target)]) == 0
    out = capsys.readouterr().out
    assert f"{target}: {name}\n" in out and f"{kind.command} … --model {target}" in out
    loaded = weights.read(target)
    assert "scale" not in loaded.options
    assert loaded.notes.get("features_of") == ("span_compact" if kind is kinds.RESTORER else None)
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), loaded.params, params))

    assert main(["info", str(target)]) == 0
    told = capsys.readouterr().out
    assert re.search(rf"kind +{kind.name}\n", told) and re.search(rf"network +{name}\n", told)


@pytest.mark.parametrize("run", ["segmentation"], indirect=True)
def test_a_segmenters_run_has_no_names_in_pytorch(run, tmp_path, capsys):
    target = tmp_path / "theirs.safetensors"
    assert main(["convert", str(tmp_path / "run"), str(target), "--to", "pytorch"]) == 2
    assert "attention_unet: segmenter weights have no names in PyTorch" in capsys.readouterr().err
    assert not target.exists()


def test_an_upscalers_weights_get_their_published_names(random_params, tmp_path, capsys):
    options = {"features": 4, "convolutions": 2, "scale": 2}
    params = random_params(kinds.UPSCALER.create("srvgg_compact", **options))
    mine, theirs = tmp_path / "mine.safetensors", tmp_path / "theirs.safetensors"
    weights.write(mine, weights.Weights("srvgg_compact", options, params))
    assert main(["convert", str(mine), str(theirs), "--to", "pytorch"]) == 0
    told = f"{theirs}: for PyTorch, under the names of SRVGGNetCompact\n"
    assert capsys.readouterr().out == told
    again = tmp_path / "again.safetensors"
    assert main(["convert", str(theirs), str(again)]) == 0
    same = jax.tree.map(lambda a, b: (a == b).all(), weights.read(again).params, params)
    assert jax.tree.all(same)
    assert main(["convert", "span-compact", str(theirs), "--to", "pytorch", "--overwrite"]) == 2
    assert "span_compact cannot be written for PyTorch" in capsys.readouterr().err


@pytest.mark.parametrize("run", ["segmentation"], indirect=True)
def test_classes_are_given_names(run, tmp_path, capsys):
    target = tmp_path / "mine.safetensors"
    convert = ["convert", str(tmp_path / "run"), str(target), "--classes"]
    assert main([*convert, "background,cat"]) == 2
    assert "trained for 3 classes; give each one's name" in capsys.readouterr().err
    assert main([*convert, "background, cat,dog"]) == 0
    assert weights.read(target).notes["classes"] == "background,cat,dog"


@pytest.mark.parametrize("classes", [{"classes": 1}, {}])
def test_one_logit_has_no_classes_to_name(classes):
    loaded = weights.Weights("attention_unet", classes, {})
    with pytest.raises(ValueError, match="tells no classes apart; leave --classes out"):
        convert.named(loaded, "cat")


def test_a_scale_is_refused_where_there_is_none(run, tmp_path, capsys):
    _, name, _ = run
    arguments = ["convert", str(tmp_path / "run"), str(tmp_path / "a.safetensors"), "--scale", "4"]
    assert main(arguments) == 2
    assert f"a run of {name}, which has no scale, not ×4" in capsys.readouterr().err


def test_models_lists_segmenters_and_restorers_with_what_they_cost(capsys):
    assert main(["models", "attention_unet", "window_restorer"]) == 0
    rows = {
        line.split()[0]: line.split()[1:4] for line in capsys.readouterr().out.splitlines() if line
    }
    assert rows["segmenter"][:1] == rows["restorer"][:1] == ["parameters"]
    assert rows["attention_unet"][2] == "all" and rows["window_restorer"][2].startswith("±")
    assert rows["attention_unet"][0].endswith("M") and rows["window_restorer"][1].endswith("G")
    assert main(["models", "nonet"]) == 2
    assert "unknown network 'nonet'; there are: atd" in capsys.readouterr().err


def test_a_weights_file_that_exists_is_kept_and_a_run_is_never_written_into(run, tmp_path, capsys):
    target = tmp_path / "mine.safetensors"
    target.write_text("mine")
    convert = ["convert", str(tmp_path / "run"), str(target)]
    assert main(convert) == 0
    assert "exists, skipped" in capsys.readouterr().out and target.read_text() == "mine"
    assert main([*convert, "--overwrite"]) == 0
    assert weights.read(target).network == run[1]
    inside = str(tmp_path / "run/mine.safetensors")
    assert main(["convert", str(tmp_path / "run"), inside, "--overwrite"]) == 2
    same = ["convert", str(target), str(target), "--overwrite"]
    before = target.read_bytes()
    assert main(same) == 2 and "is read; choose another output" in capsys.readouterr().err
    assert target.read_bytes() == before


def test_weights_go_to_stdout_too(run, tmp_path, capfdbinary):
    assert main(["convert", str(tmp_path / "run"), "-"]) == 0
    (tmp_path / "mine.safetensors").write_bytes(capfdbinary.readouterr().out)
    assert weights.read(tmp_path / "mine.safetensors").network == run[1]


def test_weights_are_no_checkpoint_to_convert(run, tmp_path, capsys):
    mine = tmp_path / "mine.safetensors"
    assert main(["convert", str(tmp_path / "run"), str(mine)]) == 0
    capsys.readouterr()
    assert main(["convert", str(mine), str(tmp_path / "again.safetensors")]) == 2
    assert f"jaxsr: {mine}: weights already" in capsys.readouterr().err
    assert not (tmp_path / "again.safetensors").exists()
