"""How other code bases name the networks of this package: one file a family of networks."""

from jaxsr.errors import UserError
from jaxsr.zoo.dialects import edsr, hat, pan, rcan, rlfn, span, swinir
from jaxsr.zoo.dialects.dialect import Dialect
from jaxsr.zoo.dialects.state import State

# A family is added with one file and its name here. No state is in two dialects: order is free.
FAMILIES = (edsr, hat, pan, rcan, rlfn, span, swinir)
DIALECTS: tuple[Dialect, ...] = tuple(d for family in FAMILIES for d in family.DIALECTS)


def recognise(state: State) -> Dialect:
    """Return the dialect that ``state`` is in.

    Raises:
      UserError: it is in none.
    """
    for dialect in DIALECTS:
        if dialect.recognises(state):
            return dialect
    some = ", ".join(list(state)[:3])
    known = ", ".join(dialect.name for dialect in DIALECTS)
    raise UserError(f"unknown checkpoint with {len(state)} arrays ({some} …); known are: {known}")
