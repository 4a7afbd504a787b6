"""SMFANet and IMDN: the published sizes, and images that are small."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import create
from jaxsr.networks.count import parameters

PLUS = {"features": 48, "blocks": 12, "hidden": 96, "part": 24}


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("smfanet", {"scale": 2}, 186_000),
        ("smfanet", {"scale": 4}, 197_000),
        ("smfanet", {"scale": 2, **PLUS}, 480_000),
        ("smfanet", {"scale": 4, **PLUS}, 496_000),
        ("imdn", {"scale": 2}, 694_000),
        ("imdn", {"scale": 3}, 703_000),
        ("imdn", {"scale": 4}, 715_000),
    ],
)
def test_published_parameter_counts(name, options, expected):
    assert parameters(create(name, **options)) == pytest.approx(expected, abs=1000)


def test_images_smaller_than_what_smfanet_pools_are_taken(random_params):
    network = create("smfanet", scale=2, features=4, blocks=1, hidden=4, part=2)
    params = {"params": random_params(network)}
    y = jax.jit(network.apply)(params, jnp.ones((1, 1, 9, 3)))
    assert np.shape(y) == (1, 2, 18, 3)
    assert np.isfinite(np.asarray(y)).all()


def test_each_convolution_of_imdn_sees_what_the_one_before_did_not_keep():
    params = jax.eval_shape(
        create("imdn", blocks=1).init, jax.random.key(0), jnp.ones((1, 8, 8, 3))
    )
    block = params["params"]["enhance"]["block_0"]
    shapes = [block[f"conv_{i}"]["kernel"].shape[2:] for i in range(4)]
    assert shapes == [(64, 64), (48, 64), (48, 64), (48, 16)]


def test_a_part_that_is_more_than_the_whole_is_refused():
    with pytest.raises(ValueError, match="hidden is 8"):
        create("smfanet", hidden=8)
