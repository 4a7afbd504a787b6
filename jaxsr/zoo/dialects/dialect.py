"""A dialect: how one PyTorch code base names the parameters of one family of networks.

One declaration is read in both directions: their state into our parameters, and back.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxsr.errors import UserError
from jaxsr.zoo.dialects.state import State, pattern

Rules = tuple[tuple[str, str], ...]
Description = tuple[str, dict[str, Any]]
Options = Mapping[str, Any]  # of a network's factory, all of them

# The ends of networks that enlarge in stages, as the authors of EDSR and RCAN name them, and as
# BasicSR does.
AUTHORS_STAGES: Rules = (
    ("tail.0.0", "fuse/stage_0"),
    ("tail.0.2", "fuse/stage_1"),
    ("tail.0.4", "fuse/stage_2"),
    ("tail.1", "fuse/conv_last"),
)
BASICSR_STAGES: Rules = (
    ("upsample.0", "fuse/stage_0"),
    ("upsample.2", "fuse/stage_1"),
    ("upsample.4", "fuse/stage_2"),
    ("conv_last", "fuse/conv_last"),
)


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How to recognise a state dict, read the network's size off it, and rename its arrays.

    Attributes:
      name: what the family is called, with the code base where there are several.
      has: keys that every state of this dialect has. With ``lacks`` they tell it from all others.
      lacks: keys that none of its states has.
      describe: state → (the network's name in ``jaxsr.networks``, its factory's options). An option
        that the state does not tell is left out; the caller must give it.
      rules: (their name, our path) pairs, the first that matches counts. ``#`` stands for a number,
        the first one on the left for the first on the right and so on. Their name is without
        ``.weight`` or ``.bias``; our path gets ``/kernel``, ``/scale`` or ``/bias`` (``_kernel`` …
        where it ends in an underscore). A rule that names a whole key takes its value unchanged, to
        exactly our path.
      ignored: patterns of keys that hold nothing we need (buffers, stale copies); ``#`` as above.
      first: the number their blocks count from; ours count from 0.
      prepare: applied to the state first, where arrays differ by more than name and axis order.
      finish: the inverse of ``prepare``, applied last where a state is written: (the state, the
        options of our network's factory) → the state with all that they keep, also constants that
        follow from the sizes. It raises UserError where they have no such network.
      expanded: (pattern of a key, axes) of arrays that have these axes of length 1 in a state, and
        not here; as ``np.expand_dims`` numbers them.
    """

    name: str
    has: tuple[str, ...]
    describe: Callable[[State], Description]
    rules: Rules
    lacks: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    first: int = 0
    prepare: Callable[[State], State] = dict
    finish: Callable[[State, Options], State] = lambda state, options: state
    expanded: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def recognises(self, state: State) -> bool:
        """Return True if ``state`` is in this dialect."""
        return all(key in state for key in self.has) and not any(k in state for k in self.lacks)

    def likeness(self, state: State) -> float:
        """Return the share of the state's names that this dialect knows."""
        known = self._patterns
        return sum(any(name.fullmatch(key) for name in known) for key in state) / len(state)

    def misfit(self, state: State) -> str:
        """Say by what name a state first shows that it is not in this dialect."""
        known = self._patterns
        for key in state:
            if not any(name.fullmatch(key) for name in known):
                return f"it has {key!r}"
        lacking = [key for key in self.has if key not in state]
        if lacking:
            return f"it lacks {lacking[0]!r}"
        return f"it has {next(key for key in self.lacks if key in state)!r}"

    @property
    def _patterns(self) -> list[re.Pattern[str]]:
        """The names that a state of this dialect may have."""
        leaves = (f"{theirs}.{leaf}" for theirs, _ in self.rules for leaf in ("weight", "bias"))
        return [pattern(name) for name in (*leaves, *(r[0] for r in self.rules), *self.ignored)]

    def described(self, state: State) -> Description:
        """Return the network's name, and the options of its factory that the state tells.

        Raises:
          UserError: arrays that tell them are missing or have another rank.
        """
        try:
            return self.describe(state)
        except (KeyError, IndexError, ZeroDivisionError) as error:
            raise UserError(f"incomplete checkpoint ({type(error).__name__}: {error})") from None

    def renamed(self, state: State) -> dict[str, np.ndarray]:
        """Translate a state: flat ``a/b/kernel`` names, arrays in our order of axes.

        Raises:
          UserError: the state has a key that no rule knows.
        """
        ignored = [pattern(name) for name in self.ignored]
        rules = [(pattern(theirs), ours) for theirs, ours in self.rules]
        return dict(
            self._translated(key, value, rules)
            for key, value in self.prepare(state).items()
            if not any(name.fullmatch(key) for name in ignored)
        )

    def _translated(
        self, key: str, value: np.ndarray, rules: list[tuple[re.Pattern, str]]
    ) -> tuple[str, np.ndarray]:
        name, _, leaf = key.rpartition(".")
        for theirs, ours in rules:
            if match := theirs.fullmatch(key):
                return self._numbered(ours, match), value
            if leaf in ("weight", "bias") and (match := theirs.fullmatch(name)):
                path = self._numbered(ours, match)
                leaf, value = translate_leaf(leaf, value)
                return path + ("" if path.endswith("_") else "/") + leaf, value
        raise UserError(f"the checkpoint has {key!r}, which the published network has not")

    def written(self, params: Mapping[str, np.ndarray], options: Options) -> State:
        """Translate parameters back into a state of this dialect: the inverse of :meth:`renamed`.

        Where a rule has more numbers on the left, the last one there is the one behind all others:
        a convolution that closes a list of blocks. Where several rules fit, the first counts.

        Args:
          params: flat ``a/b/kernel`` names → arrays.
          options: of the network's factory, those by default too.

        Raises:
          UserError: a parameter has no name in this dialect, or it has more than there is.
        """
        state = dict(self._named(path, value) for path, value in params.items())
        closed = {_closed(key, state): value for key, value in state.items()}
        try:
            return self.finish(closed, options)
        except (KeyError, IndexError) as error:
            raise UserError(f"this network lacks {error} of {self.name}") from None

    def names(self, path: str) -> bool:
        """Return True if a parameter of ours has a name in this dialect."""
        return self._name_of(path) is not None

    def _named(self, path: str, value: np.ndarray) -> tuple[str, np.ndarray]:
        found = self._name_of(path)
        if found is None:
            raise UserError(f"{self.name} has no {path}")
        key, leaf = found
        if leaf:
            name, value = restore_leaf(leaf, value)
            key = f"{key}.{name}"
        axes = (axes for name, axes in self.expanded if pattern(name).fullmatch(key))
        return key, np.expand_dims(value, next(axes, ()))

    def _name_of(self, path: str) -> tuple[str, str] | None:
        """Return what they call a path of ours, and our leaf; numbers that it lacks stay ``#``."""
        for theirs, ours in self.rules:
            joint = "" if ours.endswith("_") else "/"
            for leaf in ("", "kernel", "scale", "bias"):
                if match := pattern(ours + (leaf and joint + leaf)).fullmatch(path):
                    return self._counted(theirs, match), leaf
        return None

    def _counted(self, key: str, match: re.Match) -> str:
        for number in match.groups():
            key = key.replace("#", str(int(number) + self.first), 1)
        return key

    def _numbered(self, path: str, match: re.Match) -> str:
        numbers = iter(match.groups())
        return re.sub("#", lambda _: str(int(next(numbers)) - self.first), path)


def translate_leaf(leaf: str, value: np.ndarray) -> tuple[str, np.ndarray]:
    """Rename a leaf and order its axes as linen does.

    ``weight`` becomes ``kernel`` (O I H W → H W I O, O I → I O) or, with one axis, a norm's
    ``scale``; ``bias`` stays as it is.
    """
    if leaf == "bias":
        return "bias", value
    if value.ndim == 1:
        return "scale", value
    return "kernel", np.moveaxis(value, (1, 0), (-2, -1))


def restore_leaf(leaf: str, value: np.ndarray) -> tuple[str, np.ndarray]:
    """Name a leaf and order its axes as PyTorch does: the inverse of :func:`translate_leaf`."""
    if leaf.endswith("kernel"):
        return "weight", np.moveaxis(value, (-2, -1), (1, 0))
    return ("bias" if leaf.endswith("bias") else "weight"), value


def _closed(key: str, state: State) -> str:
    """Replace an open number at the end of a list by the one behind those that the list has."""
    before, open_number, rest = key.partition("#")
    if not open_number:
        return key
    matches = (re.match(rf"{re.escape(before)}(\d+)\.", other) for other in state)
    last = max(int(match[1]) for match in matches if match)
    return f"{before}{last + 1}{rest}"
