"""What an installation promises: the public names, and inference without training's packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import jaxsr
from jaxsr.errors import UserError, needs_extra

REPO = Path(__file__).resolve().parent.parent
NAMES = {"attention", "codec", "errors", "image", "load", "networks", "pipeline"}
# the extras train, demo and plot bring these; `pip install jaxsr` does not
EXTRA = "grain", "matplotlib", "ml_collections", "optax", "orbax", "skimage", "tensorboardX"
EXTRA += ("tensorflow_datasets",)
COMMANDS = """
models span_compact
info photo.png
upscale photo.png -o big.png --scale 2
segment photo.png -o mask.png
restore photo.png -o better.png --box 8,8,16,16
enhance photo.png -o chain.png --scale 2 --roi mask.png
compress photo.png -o photo.jsr
info photo.jsr
decompress photo.jsr -o back.png
"""


def python(program: str, folder: Path) -> str:
    """What a Python of its own prints for ``program``, run in ``folder``."""
    environment = os.environ | {"PYTHONPATH": str(REPO), "JAX_PLATFORMS": "cpu"}
    environment |= {"JAX_COMPILATION_CACHE_DIR": str(REPO / ".cache" / "jax")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_public_names_are_these():
    assert set(jaxsr.__all__) == NAMES
    assert set(dir(jaxsr)) >= NAMES
    assert all(getattr(jaxsr, name) is not None for name in NAMES)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'upsample'"):
        jaxsr.upsample  # noqa: B018


def test_importing_jaxsr_loads_neither_jax_nor_numpy(tmp_path):
    program = "import sys, jaxsr; dir(jaxsr); print('jax' in sys.modules, 'numpy' in sys.modules)"
    assert python(program, tmp_path) == "False False\n"


def test_a_public_name_is_loaded_when_it_is_asked_for(tmp_path):
    program = "import jaxsr; print(jaxsr.load.__name__, jaxsr.image.files.read.__name__)"
    assert python(program, tmp_path).endswith(" read\n")


def test_commands_of_inference_need_no_package_of_training(tmp_path):
    from jaxsr.image import files

    skimage = pytest.importorskip("skimage.data")
    files.write(tmp_path / "photo.png", files.Picture(skimage.chelsea()[100:140, 100:148]))
    program = f"""
import sys
sys.modules |= dict.fromkeys({EXTRA!r})  # importing them is a ModuleNotFoundError
from jaxsr.cli import main
for line in {COMMANDS.strip().splitlines()!r}:
    print("$", line)
    code = main(line.split())
    assert code == 0, (code, line)
"""
    python(program, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {
        *("big.png", "mask.png", "better.png", "chain.png", "photo.jsr", "back.png")
    }


def test_a_package_that_is_missing_is_said_with_the_extra_that_brings_it():
    with (
        pytest.raises(UserError, match=r"the plot needs nowhere_to_be.*jaxsr\[plot\]"),
        needs_extra("plot", "the plot"),
    ):
        import nowhere_to_be.found  # noqa: F401


def test_a_module_of_ours_that_is_missing_is_a_fault():
    with pytest.raises(ModuleNotFoundError), needs_extra("plot", "the plot"):
        import jaxsr.nowhere  # noqa: F401
