"""How other code bases name the networks of this package: one file a family of networks."""

from jaxsr.errors import UserError
from jaxsr.zoo.dialects import (
    atd,
    dat,
    dncnn,
    drct,
    edsr,
    hat,
    imdn,
    mosr,
    nafnet,
    omnisr,
    pan,
    plksr,
    rcan,
    realcugan,
    restormer,
    rgt,
    rlfn,
    rrdb,
    safmn,
    seemore,
    smfanet,
    span,
    srformer,
    srvgg,
    swinir,
    unets,
)
from jaxsr.zoo.dialects.dialect import Dialect
from jaxsr.zoo.dialects.prefixes import stripped
from jaxsr.zoo.dialects.state import State

# A family is added with one file and its name here. No state is in two dialects: order is free.
FAMILIES = (
    atd,
    dat,
    drct,
    edsr,
    hat,
    dncnn,
    imdn,
    mosr,
    nafnet,
    omnisr,
    pan,
    plksr,
    rcan,
    realcugan,
    restormer,
    rgt,
    rlfn,
    rrdb,
    safmn,
    seemore,
    smfanet,
    span,
    srformer,
    srvgg,
    swinir,
    unets,
)
DIALECTS: tuple[Dialect, ...] = tuple(d for family in FAMILIES for d in family.DIALECTS)
NEAR = 0.3  # least share of a checkpoint's names that make a family its nearest


def recognise(state: State) -> tuple[Dialect, State]:
    """Return the dialect that ``state`` is in, and the state without the prefixes of its names.

    Raises:
      UserError: it is in none; the message says which is the nearest, and what it lacks.
    """
    for candidate in stripped(state):
        for dialect in DIALECTS:
            if dialect.recognises(candidate):
                return dialect, candidate
    some = ", ".join(list(state)[:3])
    known = ", ".join(sorted(dialect.name for dialect in DIALECTS))
    raise UserError(
        f"unknown checkpoint with {len(state)} arrays ({some} …){_nearest(state)}; "
        f"known are: {known}"
    )


def _nearest(state: State) -> str:
    """Say which dialect knows most of the state's names, and the first thing that does not fit."""
    likeness, dialect, candidate = max(
        ((d.likeness(c), d, c) for c in stripped(state) for d in DIALECTS), key=lambda of: of[0]
    )
    if likeness < NEAR:
        return ""
    return f"; the nearest is {dialect.name}, but {dialect.misfit(candidate)}"
