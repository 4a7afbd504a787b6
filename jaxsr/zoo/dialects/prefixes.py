"""What programs put before the names of parameters: ``module.``, ``netG.`` and so on."""

from collections.abc import Iterator

from jaxsr.zoo.dialects.state import State

# Averaged parameters come first: where a file has both, they are the better ones.
PREFIXES = (
    *("params_ema.", "generator_ema.", "netG_ema.", "net_g_ema.", "model_ema.", "ema_model."),
    *("ema.", "params.", "module.", "_orig_mod.", "netG.", "net_g.", "generator.", "model."),
    *("net.", "network."),
)
DEEPEST = 3  # as in "model.module._orig_mod.": no honest file has more


def stripped(state: State, depth: int = DEEPEST) -> Iterator[State]:
    """Yield ``state`` as it is, then what lies under each prefix it has, without that prefix.

    Under one prefix lies one network; others in the file, as a discriminator or another copy, are
    left out.
    """
    yield state
    for prefix in PREFIXES if depth else ():
        inner = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        if inner:
            yield from stripped(inner, depth - 1)
