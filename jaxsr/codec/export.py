"""Export of a trained codec: float parameters to the integers and tables that files need."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxsr import networks
from jaxsr.codec.model import GAIN_UNIT, HYPER_LIMIT, OFFSET_BITS, Model
from jaxsr.entropy import integer, tables
from jaxsr.entropy.tables import STEP
from jaxsr.errors import UserError
from jaxsr.networks.compressor import INDEX_UNIT, Compressor
from jaxsr.zoo.weights import Weights

# Bits of the hyper-latents' probabilities. There are hundreds of tables, whose memory it quarters
# beside 14 bits, and costs 0.1 % more of their bits, which are a few percent of a file's.
HYPER_PRECISION = 12
INTEGER_PARTS = ("scales", "rates")  # the parameters that become integers


def export(trained: Weights) -> Model:
    """Make a codec of trained parameters: floats are rounded to float16, the rest to integers.

    Raises:
      UserError: the network has no σ indexes and so cannot write files, or its σ network could
        overflow.
    """
    network = networks.create_compressor(trained.network, **trained.options)
    if not isinstance(network, Compressor):
        raise UserError(f"{trained.network} has no σ indexes: it trains, but writes no files")
    params = trained.params
    layers = params["scales"]
    scales = tuple(
        integer.export(layers[f"kernel{i}"], layers[f"bias{i}"]) for i in range(len(layers) // 2)
    )
    rates = params["rates"]
    params = {k: v for k, v in params.items() if k not in INTEGER_PARTS}
    params = jax.tree.map(lambda x: np.asarray(x, np.float16).astype(np.float32), params)
    return Model(
        name=trained.network,
        options=trained.options,
        params=params,
        scales=scales,
        gains=_fixed(rates["log_gain"], GAIN_UNIT / STEP),
        offsets=_fixed(rates["offset"], INDEX_UNIT * 2**OFFSET_BITS),
        residual_tables=tables.gaussian_tables(mixture=network.mixture),
        hyper_tables=_hyper_tables(network, params),
        notes=trained.notes,
    )


def _fixed(values: np.ndarray, unit: float) -> np.ndarray:
    return np.round(np.asarray(values, np.float64) * unit).astype(np.int32)


def _hyper_tables(network: networks.Compressor, params: dict) -> tables.Tables:
    """Return tables of the learned density: one for each anchor rate and channel."""
    values = np.arange(-HYPER_LIMIT, HYPER_LIMIT + 1)
    density = network.density
    rates = jnp.linspace(0, 1, density.anchors)
    z = jnp.broadcast_to(
        values[None, None, :, None], (len(rates), 1, len(values), density.channels)
    )
    bits = density.apply({"params": params["density"]}, z.astype(jnp.float32), rates)
    pmfs = 2.0 ** -np.asarray(bits, np.float64)[:, 0].swapaxes(1, 2).reshape(-1, len(values))
    kept, minimums = zip(*(_without_tails(pmf) for pmf in pmfs), strict=True)
    return tables.tables_from_pmfs(list(kept), [m - HYPER_LIMIT for m in minimums], HYPER_PRECISION)


def _without_tails(pmf: np.ndarray, mass: float = 2.0**-16) -> tuple[np.ndarray, int]:
    """Cut values rarer than ``mass`` off both ends; return the rest and where it begins."""
    matters = np.flatnonzero(pmf > mass)
    if not len(matters):
        matters = np.array([pmf.argmax()])
    return pmf[matters[0] : matters[-1] + 1], int(matters[0])
