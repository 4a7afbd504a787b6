"""What the API reference makes of the docstrings: roles become links, attributes are told once."""

import re

import griffe

ROLE = re.compile(r":(?:func|class|mod|meth|data|attr|const):`(~?)([\w.]+)`")


class Docstrings(griffe.Extension):
    """Rewrites docstrings for Markdown, and leaves out attributes that their class describes."""

    def on_package(self, *, pkg: griffe.Module, **kwargs) -> None:
        self._rewrite(pkg)

    def _rewrite(self, thing: griffe.Object | griffe.Alias) -> None:
        if thing.docstring:
            text = ROLE.sub(lambda role: linked(thing, role), thing.docstring.value)
            thing.docstring.value = re.sub(r"::$", ":", text, flags=re.MULTILINE)
        described = thing.docstring.value if thing.is_class and thing.docstring else ""
        for name, member in list(thing.members.items()):
            if member.is_alias:
                continue
            if member.is_attribute and re.search(rf"^\s+{name}(, \w+)*:", described, re.MULTILINE):
                del thing.members[name]
            else:
                self._rewrite(member)


def linked(thing: griffe.Object | griffe.Alias, role: re.Match) -> str:
    """Return the name in a role as a link, where the reference has it."""
    short, name = role[1], role[2]
    try:
        path = name if name.startswith("jaxsr") else thing.resolve(name)
    except griffe.NameResolutionError:
        path = f"{thing.path}.{name}"
    shown = name.rpartition(".")[2] if short else name
    return f'<autoref optional identifier="{path}">`{shown}`</autoref>'
