"""Evaluates an upscaler on folders of originals.

``python eval.py --config=configs/eval/sr.py --config.model=NAME --config.data=DIR[,DIR…]``; the
config's file tells the rest. ``--workdir=DIR`` takes a training run's newest averaged parameters.
"""

from pathlib import Path

from absl import flags
from ml_collections import config_flags

from jaxsr.cli import prepare_jax, scripts

_CONFIG = config_flags.DEFINE_config_file(
    "config", str(Path(__file__).parent / "configs/eval/sr.py"), "what to evaluate, on what"
)
_WORKDIR = flags.DEFINE_string("workdir", "", "a training run, in place of --config.model")


def main() -> None:
    prepare_jax()
    run(_CONFIG.value, _WORKDIR.value)


def run(config, workdir: str = "") -> None:
    """Evaluates on every folder, prints their tables and writes the report.

    Raises:
      ValueError: what is asked for isn't there, or doesn't go together.
    """
    from jaxsr.evaluation import report, super_resolution  # after the flags: --help stays quick

    folders = folders_of(config.data)
    make_folder(Path(config.out).parent)
    if config.out and Path(config.out).is_dir():
        raise ValueError(f"{config.out}: a folder; give --config.out=FILE.json")
    if config.limit < 0:
        raise ValueError(f"config.limit is {config.limit}; give 0 for all images, or a number")
    upscale = upscaler(config.model, workdir, config.scale)
    results = {}
    for folder, name in report.names_of(folders).items():
        results[folder] = super_resolution.evaluate(
            upscale,
            folder,
            config.scale,
            self_ensemble=config.self_ensemble,
            limit=config.limit or None,
            picture=writer(Path(config.pictures, name), config.scale) if config.pictures else None,
        )
        print(report.table(name, results[folder]), end="\n\n", flush=True)
    if config.out:
        called = config.to_dict() | {"workdir": workdir}
        report.save_json(config.out, report.as_json(results, called))


def folders_of(data: str) -> list[str]:
    """The folders named, each known to hold images before any work is done."""
    from jaxsr.evaluation.super_resolution import check_originals

    folders = [folder for folder in data.split(",") if folder]
    if not folders:
        raise ValueError("no originals to evaluate on; give --config.data=DIR[,DIR…]")
    for folder in folders:
        check_originals(folder)
    return folders


def upscaler(model: str, workdir: str, scale: int):
    """The one of ``model`` (a name, a weights file, "bicubic") and ``workdir`` that is given."""
    import jax

    from jaxsr import networks, pipeline, zoo
    from jaxsr.evaluation import super_resolution

    if bool(model) == bool(workdir):
        raise ValueError("say what to evaluate, by either --config.model or --workdir")
    if model == "bicubic":
        return super_resolution.bicubic(scale)
    # published figures are of float32; GPUs would take TF32, TPUs bf16
    jax.config.update("jax_default_matmul_precision", "highest")
    if model:
        return pipeline.load(model, scale).upscale_many
    from jaxsr.training import checkpoints

    weights = zoo.folded(checkpoints.load_weights(workdir))
    if weights.options["scale"] != scale:
        raise ValueError(f"{workdir}: trained for ×{weights.options['scale']}, not ×{scale}")
    network = networks.create(weights.network, **weights.options)
    return pipeline.Upscale(network, weights.params).upscale_many


def writer(folder: Path, scale: int):
    """A function that keeps the outputs as ``folder/NAME_xSCALE.png``."""
    from jaxsr.image import io

    def write(name, pixels):
        path = folder / f"{name}_x{scale}.png"
        make_folder(path.parent)
        io.write(path, io.Picture(pixels))

    return write


def make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{path}: cannot be made ({error.strerror})") from None


if __name__ == "__main__":
    scripts.run(main)
