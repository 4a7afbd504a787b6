"""Networks are built by name, with the options that their factories have."""

import pytest

from jaxsr import networks
from jaxsr.errors import UserError


@pytest.mark.parametrize(
    ("create", "name"),
    [
        (networks.create, "span"),
        (networks.create_compressor, "patch_hyperprior"),
        (networks.create_segmenter, "attention_unet"),
        (networks.create_restorer, "window_restorer"),
    ],
)
def test_an_unknown_network_or_option_is_told_what_there_is(create, name):
    with pytest.raises(UserError, match=f"unknown network 'spam'; there are: .*{name}"):
        create("spam")
    with pytest.raises(UserError, match=f"{name!r}: no option 'spam'; it has: .*features"):
        create(name, spam=1)


def test_a_fault_within_a_factory_is_not_called_an_unknown_option(monkeypatch):
    def faulty(scale=4):
        return len(scale)

    monkeypatch.setitem(networks.UPSCALERS, "faulty", faulty)
    with pytest.raises(TypeError, match="has no len"):
        networks.create("faulty")
