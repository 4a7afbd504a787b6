"""What a process does before its work: little for the help, every core and a cache else."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data

from jaxsr.cli.environment import cores
from jaxsr.image import files

REPO = Path(__file__).resolve().parents[2]
CAT = skimage.data.chelsea()[100:116, 100:116]
HELP_AS_STARTS = 7  # times the CPU of starting Python that --help may take; 2.8 were measured
COUNT = "import jax; print('devices', jax.local_device_count())"
HEAVY = ("jax", "flax", "numpy", "PIL", "imagecodecs", "tifffile", "scipy", "jaxtyping", "tqdm")


def python(code, cache=None, **environment):
    """Runs Python code as a user's shell would, and returns its stdout."""
    ours = ("XLA_FLAGS", "JAX_")  # set for the tests
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    kept |= {"PYTHONPATH": str(REPO), "JAX_PLATFORMS": "cpu"} | environment
    if cache:
        kept["XDG_CACHE_HOME"] = str(cache)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=REPO, env=kept, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cpu_seconds(code):
    def used():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = used()
    python(code)
    return used() - before


def jaxsr(*arguments):
    return f"from jaxsr.cli import main; assert main({list(map(str, arguments))}) == 0"


def test_the_commands_are_imported_without_anything_heavy():
    code = f"import sys, jaxsr.cli; print([m for m in {HEAVY} if m in sys.modules])"
    assert python(code) == "[]\n"


def test_help_takes_little_longer_than_python_itself():
    ask = "import sys; sys.argv = ['jaxsr', '--help']; from jaxsr.cli import main; main()"
    start, asked = (min(cpu_seconds(code) for _ in range(3)) for code in ("pass", ask))
    assert asked < HELP_AS_STARTS * start


@pytest.mark.parametrize(
    "command",
    [("upscale", "--scale", 2), ("restore", "--roi", "all")],
    ids=lambda command: command[0],
)
def test_a_command_uses_every_core_and_keeps_what_it_compiled(tmp_path, command):
    files.write(tmp_path / "a.png", files.Picture(CAT))
    run = jaxsr(command[0], tmp_path / "a.png", "-o", tmp_path / "out", *command[1:])
    out = python(f"{run}\n{COUNT}", cache=tmp_path / "cache")
    assert f"devices {cores()}\n" in out
    assert any((tmp_path / "cache/jaxsr/xla").iterdir())


def test_what_the_environment_says_stays():
    code = f"from jaxsr.cli.environment import prepare_jax; prepare_jax(); {COUNT}"
    assert python(code, JAX_NUM_CPU_DEVICES="3") == "devices 3\n"
    flags = "--xla_force_host_platform_device_count=5"
    assert python(code, XLA_FLAGS=flags) == "devices 5\n"


def test_eval_and_train_prepare_jax_before_a_config_file_imports_it(tmp_path):
    config = "import jax, ml_collections\nget_config = ml_collections.ConfigDict\n"
    (tmp_path / "config.py").write_text(config)
    for options, devices in (("", cores()), ("every_core=False", 1)):
        code = f"""
import sys
from ml_collections import config_flags
from jaxsr.cli import scripts
config_flags.DEFINE_config_file("config")
def main():
    import jax
    print(jax.local_device_count(), jax.config.jax_compilation_cache_dir)
sys.argv = ["eval.py", "--config={tmp_path}/config.py"]
scripts.run(main, {options})
"""
        assert python(code, cache=tmp_path) == f"{devices} {tmp_path}/jaxsr/xla\n"
    code = (
        "import jax; from jaxsr.cli.environment import use_cores_for; use_cores_for({}); " + COUNT
    )
    assert python(code.format(5 * cores())) == f"devices {cores()}\n"
    assert python(code.format("1, 1")) == "devices 1\n"
