"""How the house is kept: one name for one thing."""

import collections
import importlib
import inspect
import pkgutil

import jaxsr


def public_classes():
    """Yields the name and module of every public class, where it is defined."""
    for info in pkgutil.walk_packages(jaxsr.__path__, "jaxsr."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if inspect.isclass(value) and value.__module__ == info.name and name[0] != "_":
                yield value.__name__, info.name


def test_no_two_public_classes_share_a_name():
    homes = collections.defaultdict(set)
    for name, module in public_classes():
        homes[name].add(module)
    assert len(homes) > 50
    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}
