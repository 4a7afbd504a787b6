"""What MkDocs makes of the repository's own files: the home page, the cards, the API reference.

Run by ``make docs``. The pages are generated, so none can fall behind: README.md is the home page,
each card of ``jaxsr/zoo`` is a page, and so is each room of ``jaxsr`` with all its modules.
"""

import pkgutil
import re
from pathlib import Path

from mkdocs.structure.files import File, Files

REPO = Path(__file__).resolve().parent.parent
ROOMS = (  # as a reader of the API meets them; a room that is not here comes last
    *("jaxsr", "jaxsr.pipeline", "jaxsr.codec", "jaxsr.networks", "jaxsr.attention", "jaxsr.image"),
    *("jaxsr.tiling", "jaxsr.regions", "jaxsr.entropy", "jaxsr.zoo", "jaxsr.data"),
    *("jaxsr.training", "jaxsr.evaluation"),
)
MODULE = re.compile(r"\]\((?:\.\./)*(jaxsr/[\w/]+\.py)")  # the beginning of a link to one
HIDDEN = ("jaxsr.cli",)  # a program; cli.md tells how it is used


def rooms() -> dict[str, list[str]]:
    """Return page → its modules, of the reference; what lies in ``jaxsr`` itself is the first's."""
    pages: dict[str, list[str]] = {room: [] for room in ROOMS}
    pages["jaxsr"].append("jaxsr")
    for module in pkgutil.walk_packages([str(REPO / "jaxsr")], "jaxsr.", onerror=lambda name: None):
        parts = module.name.split(".")
        if ".".join(parts[:2]) in HIDDEN or any(part.startswith("_") for part in parts):
            continue
        alone = len(parts) == 2 and not module.ispkg
        pages.setdefault("jaxsr" if alone else ".".join(parts[:2]), []).append(module.name)
    return {room: modules for room, modules in pages.items() if modules}


def reference(room: str, modules: list[str]) -> str:
    """Return a page of the reference: every public name of every module of a room."""
    blocks = "\n\n".join(f"::: {module}" for module in modules)
    return f"# {room}\n\n{blocks}\n"


def cards() -> dict[str, Path]:
    """Name → card of the released weights."""
    return {path.stem: path for path in sorted((REPO / "jaxsr/zoo").glob("*.md"))}


def generated() -> dict[str, str]:
    """Page → its Markdown, of all that are made of other files."""
    pages = {f"api/{room}.md": reference(room, modules) for room, modules in rooms().items()}
    pages |= {f"cards/{name}.md": path.read_text("utf-8") for name, path in cards().items()}
    for page, file in (
        ("index", "README"),
        ("contributing", "CONTRIBUTING"),
        ("changelog", "CHANGELOG"),
    ):
        pages[f"{page}.md"] = (REPO / f"{file}.md").read_text("utf-8")
    return {page: relinked(page, text) for page, text in pages.items()}


def relinked(page: str, text: str) -> str:
    """Turn links to the repository's pages and modules into links of the site."""
    up = "../" * page.count("/")
    text = re.sub(r"\]\((?:\.\./)*docs/", f"]({up}", text).replace('src="docs/', f'src="{up}')
    text = re.sub(r"\]\((?:\.\./)*jaxsr/zoo/([\w-]+\.md)", rf"]({up}cards/\1", text)
    for name in ("CONTRIBUTING", "CHANGELOG"):
        text = re.sub(rf"\]\((?:\.\./)*{name}\.md", f"]({up}{name.lower()}.md", text)
    return MODULE.sub(lambda link: f"]({up}{page_of(link[1])}", text)


def page_of(file: str) -> str:
    """Return where the reference has a module of ``jaxsr``: its page and the heading there."""
    module = ".".join(Path(file).with_suffix("").parts).removesuffix(".__init__")
    page = next(page for page, modules in rooms().items() if module in modules)
    return f"api/{page}.md#{module}"


def on_config(config):
    """List the generated pages in the navigation."""
    for entry in config.nav:
        if "API reference" in entry:
            entry["API reference"] = [{room: f"api/{room}.md"} for room in rooms()]
        for part in entry.get("Examples", ()):
            if "Cards" in part:
                part["Cards"] = [{name: f"cards/{name}.md"} for name in cards()]
    return config


def on_files(files: Files, config) -> Files:
    """Add the generated pages."""
    for page, text in generated().items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page, config, files) -> str:
    """Relink the pages to each other; of a link to a file outside the site, leave its words."""
    markdown = relinked(page.file.src_uri, markdown)
    outside = r"\[([^\]]+)\]\((?:\.\./(?!api|cards)[^)]*|LICENSE|examples/?|benchmarks/[^)]*)\)"
    return re.sub(outside, r"\1", markdown)
