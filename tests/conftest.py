"""What tests share: four virtual devices, checked array types, a compilation cache, shared/."""

import collections
import contextlib
import functools
import importlib.util
import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
)

import jax
import jaxtyping
import numpy as np
import pytest
import skimage.data
from PIL import Image

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared"

jax.config.update("jax_compilation_cache_dir", str(REPO / ".cache" / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)

jaxtyping.install_import_hook("jaxsr", "beartype.beartype")

# Of few tests, but half a minute each: they begin first, so that none keeps one core to the end.
LONG = (
    *("cli/test_jax_settings.py", "evaluation/test_evaluators.py", "training/test_loop.py"),
    *("test_examples.py", "codec/test_everywhere.py", "codec/test_differentiable.py"),
)


# Tests of formulas, shapes and gradients, of many programs that run once: those that LLVM hardly
# optimises took 48 s of the processor instead of 66 s in the three files of networks. A file is
# named here once it passes so. Never where bits, speed or memory are the point, or what users run:
# codec, entropy, tiling, pipeline, cli. Processes that a test starts compile as users' do.
HARDLY_OPTIMISED = (
    *("attention/*.py", "training/test_configs.py", "training/test_compression.py"),
    *("networks/test_plksr.py", "networks/test_srvgg.py", "networks/test_swinir.py"),
)


def pytest_configure(config):
    if hasattr(config.option, "loadscopereorder"):  # of xdist: by how many tests a file has
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """Sorts files: the long ones, then by how many tests they have."""
    tests = collections.Counter(item.path for item in items)

    def place(item):
        return not any(item.path.match(name) for name in LONG), -tests[item.path]

    items.sort(key=place)


def hardly_optimised(path):
    """True for a test file that HARDLY_OPTIMISED names."""
    return any(path.match(name) for name in HARDLY_OPTIMISED)


@pytest.fixture(scope="module", autouse=True)
def optimisations(request):
    """Compiles a module's programs for what it tests.

    Those that are hardly optimised are dropped with the module: the next must not run them.
    """
    if not hardly_optimised(request.path):
        yield
        return
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()


@pytest.fixture
def optimised(request):
    """Compiles one test's programs as users' are, in whatever file it is."""
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()
    yield
    jax.config.update("jax_disable_most_optimizations", hardly_optimised(request.path))
    jax.clear_caches()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test images and peers' weights; the test skips where there is none."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: the conformance data is not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def strictest():
    """``with strictest():`` 64-bit types, no promotion of types or of ranks.

    At once, as each forbids more with the others than alone: an integer of Python's width, which
    strict types would let pass as 32 bits, has 64 here.
    """

    @contextlib.contextmanager
    def settings():
        with (
            jax.enable_x64(),
            jax.numpy_dtype_promotion("strict"),
            jax.numpy_rank_promotion("raise"),
        ):
            yield

    return settings


@pytest.fixture(scope="session")
def module_at():
    """``module_at(path)``: the Python file at that path of the repository, run once."""

    @functools.cache
    def load(path):
        spec = importlib.util.spec_from_file_location(Path(path).stem, REPO / path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """``folder_of(images)``: a new folder with them, arrays by the names of their files.

    ``folder_of(images, masks)``: in images/ and masks/.
    """

    def write(images, masks=None):
        folder = tmp_path_factory.mktemp("photos")
        parts = {"": images} if masks is None else {"images": images, "masks": masks}
        for part, arrays in parts.items():
            (folder / part).mkdir(exist_ok=True)
            for name, pixels in arrays.items():
                Image.fromarray(pixels).save(folder / part / name)
        return folder

    return write


@pytest.fixture(scope="session")
def crops():
    """``crops(names, rows, columns)``: what these slices cut of skimage's photographs, as PNGs."""

    def cut(names, rows, columns):
        photos = {name: getattr(skimage.data, name)() for name in names.split()}
        return {f"{name}.png": photo[rows, columns] for name, photo in photos.items()}

    return cut


@pytest.fixture(scope="session")
def random_params():
    """``random_params(module, *inputs, gain=1.0)``: its parameters, drawn by NumPy.

    Compiling a network's ``init`` takes longer than most of what is tested with the result.
    """

    def draw(module, *inputs, gain=1.0):
        rng = np.random.default_rng(0)
        inputs = inputs or (jax.ShapeDtypeStruct((1, 16, 16, 3), np.float32),)
        shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]

        def leaf(a):
            fan_in = max(1, np.prod(a.shape[:-1]))
            return (rng.standard_normal(a.shape) * gain / np.sqrt(fan_in)).astype(np.float32)

        return jax.tree.map(leaf, shapes)

    return draw


@pytest.fixture(scope="session")
def tiny_codec_weights(random_params):
    """The weights of a small codec in training: of noise, but always the same noise."""
    from jaxsr import networks
    from jaxsr.zoo.weights import Weights

    options = {"features": 12, "latents": 16, "hyper": 4, "width": 4, "attention": 4}
    options |= {"context": 4, "analysis_blocks": 1, "synthesis_blocks": 1}
    network = networks.create_compressor("patch_hyperprior", **options)
    shapes = (1, 128, 128, 3), (1,), (1, 8, 8)
    inputs = (jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes)
    params = random_params(network, *inputs, jax.random.key(1))
    rate = np.linspace(0, 1, len(params["rates"]["log_gain"]), dtype=np.float32)[:, None]
    for name, values in (("log_gain", 4 * rate), ("offset", 2 + 4 * rate)):
        params["rates"][name] = np.broadcast_to(values, params["rates"][name].shape)
    return Weights("patch_hyperprior", options, params)


@pytest.fixture(scope="session")
def tiny_codec(tiny_codec_weights, tmp_path_factory):
    """The file of the small codec's weights, as exported."""
    from jaxsr.codec import export, weights

    path = tmp_path_factory.mktemp("codec") / "tiny.safetensors"
    weights.save(path, export.export(tiny_codec_weights))
    return path
