"""README and docs/: their samples run, their commands parse, nothing public is missing."""

import configparser
import importlib
import inspect
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import skimage.data

from jaxsr import cli
from jaxsr.image import files
from jaxsr.zoo.convert import convert_file

REPO = Path(__file__).resolve().parent.parent
PAGES = {
    path.name: path
    for path in (REPO / "README.md", REPO / "CONTRIBUTING.md", *sorted(REPO.glob("docs/*.md")))
}
CARDS = {path.name: path for path in sorted((REPO / "jaxsr/zoo").glob("*.md"))}
CAT = skimage.data.chelsea()[100:148, 100:164]
PROGRAMS = ("jaxsr", "python", "pip", "make")
NOT_RUN = ("demo", "convert")  # they take minutes, or what is not here, and have tests of their own


def samples(page: Path) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[list[str]]:
    """The commands of a page's indented blocks, as words; lines that end in \\ go on."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    text = text.replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    lines = [re.sub(r" [<>] \S+", "", line) for line in lines if command_in(line)]
    lines = [re.sub(r"\$[A-Z_]+", "3", line) for line in lines]  # a number of a job array's
    words = [shlex.split(line, comments=True) for line in lines]
    return [part[next(i for i, word in enumerate(part) if "=" not in word) :] for part in words]


def command_in(line: str) -> bool:
    """True for a line that is a command, perhaps after variables of the environment."""
    return bool(re.match(rf"(?:[A-Z_]+=\S+ )*(?:{'|'.join(PROGRAMS)}) ", line))


def state_in(path: Path) -> dict[str, np.ndarray]:
    """The state dict that a golden file of a network holds."""
    with np.load(path) as golden:
        names = [name for name in golden.files if name.startswith("state/")]
        return {name.removeprefix("state/"): golden[name] for name in names}


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with the images and checkpoints that the pages' samples name, small ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("JAXSR_MODELS", str(tmp_path / "models"))
    for name, golden in (("any.pth", "srvgg_compact_x4"), ("scunet.pth", "scunet_x1")):
        safetensors.numpy.save_file(state_in(REPO / f"tests/networks/golden/{golden}.npz"), name)
    convert_file("any.pth", "mine_x4.safetensors")
    for name in ("photo.jpg", "photo.png", "holiday/a.jpg", "scans/b.tif", "photos/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        files.write(name, files.Picture(CAT))
    face = CAT[..., :1] * 0
    face[8:24, 8:40] = 255
    files.write("face.png", files.Picture(face))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", [name for name, path in PAGES.items() if samples(path)])
def test_the_samples_of_a_page_run_one_after_another(page, photos):
    names: dict = {}
    for sample in samples(PAGES[page]):
        exec(compile(sample, page, "exec"), names)


@pytest.mark.parametrize("page", ["README.md", "cli.md"])
def test_the_first_command_of_every_kind_on_a_page_runs(page, photos, capsys):
    done = set(NOT_RUN)
    for name, *words in commands(PAGES[page]):
        if name == "jaxsr" and words[0] not in done and not {"--help", "-"} & set(words):
            done.add(words[0])
            arguments = cli.parser().parse_args(expanded(words))
            assert arguments.run(arguments) == 0, (words, capsys.readouterr())


def test_every_command_about_models_of_others_runs(photos, capsys):
    for name, *words in commands(PAGES["others.md"]):
        if name != "jaxsr":
            continue
        arguments = cli.parser().parse_args([*words, "--overwrite"] if "-o" in words else words)
        assert arguments.run(arguments) == 0, (words, capsys.readouterr())


def expanded(words: list[str]) -> list[str]:
    """The words as a shell gives them to a program: patterns as the files they match."""
    found = [sorted(map(str, Path().glob(word))) if "*" in word else [word] for word in words]
    return [word for part in found for word in part]


@pytest.mark.parametrize("page", [*PAGES, *CARDS])
def test_the_commands_of_a_page_are_ones_that_there_are(page, module_at):
    for name, *words in commands((PAGES | CARDS)[page]):
        if name == "jaxsr" and "--help" not in words:
            cli.parser().parse_args(words)
        elif name == "make":
            targets = re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(), re.MULTILINE)
            assert {word for word in words if "=" not in word} <= set(targets)
        elif name == "pip":
            extras = {extra for word in words for extra in re.findall(r"\[(.*)\]", word)}
            assert set(",".join(extras).split(",")) - {""} <= set(declared_extras())
        elif name == "python" and words[0] in ("train.py", "eval.py"):
            check_script(module_at, *words)
        elif name == "python":
            assert (REPO / words[0]).is_file(), words


def declared_extras():
    parser = configparser.ConfigParser()
    parser.read(REPO / "setup.cfg")
    return parser["options.extras_require"]


def check_script(module_at, script: str, *words: str) -> None:
    """Fails unless ``train.py`` or ``eval.py`` has the flags and the config has the options."""
    sources = (REPO / script, REPO / "jaxsr/cli/scripts.py")
    text = "".join(file.read_text("utf-8") for file in sources)
    known = re.findall(r'DEFINE_\w+\(\s*"(\w+)"', text)
    config = None
    for word in words:
        flag, _, value = word.removeprefix("--").partition("=")
        if flag == "config":
            path, *argument = value.split(":")
            config = module_at(path).get_config(*argument)
        elif flag.startswith("config."):
            *parents, last = flag.split(".")[1:]
            options = config
            for parent in parents:
                options = options[parent]
            assert last in options, f"{script} has no {flag}"
        else:
            assert flag in known, f"{script} has no --{flag}"


@pytest.mark.parametrize("page", [*PAGES, *CARDS, "CHANGELOG.md"])
def test_the_files_that_a_page_links_to_are_there(page):
    path = (PAGES | CARDS | {"CHANGELOG.md": REPO / "CHANGELOG.md"})[page]
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
        assert (path.parent / link).exists(), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES)
def test_no_link_of_a_page_needs_the_site(page):
    assert not re.findall(r"\]\[jaxsr[^]]*\]|\]\(api/", PAGES[page].read_text("utf-8"))


@pytest.fixture
def site(module_at):
    """Return docs/site.py; its packages are those of ``make docs``, not of the tests."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: make docs installs it")
    return module_at("docs/site.py")


def test_a_link_to_a_module_leads_to_the_reference_in_the_site(site):
    text = site.relinked("python.md", "[a](../jaxsr/image/files.py), [b](../jaxsr/errors.py)")
    assert text == "[a](api/jaxsr.image.md#jaxsr.image.files), [b](api/jaxsr.md#jaxsr.errors)"


def test_the_readme_is_short():
    assert len((REPO / "README.md").read_bytes()) < 6000


def test_every_public_name_is_in_the_reference(site):
    modules = {module for page in site.rooms().values() for module in page}
    assert "jaxsr" in modules and not any("jaxsr.cli" in module for module in modules)
    for file in (REPO / "jaxsr").rglob("*.py"):
        parts = file.relative_to(REPO).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        assert name in modules or name.startswith("jaxsr.cli"), f"{name} has no page"


def test_every_name_of_the_public_face_says_what_it_is():
    public = {"pipeline": None, "codec": None, "networks": None, "errors": None}
    for room in public:
        module = importlib.import_module(f"jaxsr.{room}")
        for name in getattr(module, "__all__", dir(module)):
            value = getattr(module, name)
            ours = getattr(value, "__module__", "").startswith("jaxsr")
            if ours and not name.startswith("_") and (inspect.isclass(value) or callable(value)):
                assert inspect.getdoc(value), f"jaxsr.{room}.{name} has no docstring"
