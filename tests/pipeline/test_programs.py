"""What using a network runs, as it is compiled for chips that are elsewhere."""

import pytest

from jaxsr import zoo
from jaxsr.pipeline import programs


@pytest.mark.parametrize("name", ["dncnn", "drunet", "rlfn"])
def test_what_restores_whole_images_is_built_at_a_scale_of_1(name):
    options = zoo.options_to_run(name, 4)
    assert options == {"scale": 4 if name == "rlfn" else 1}
    (use,) = programs.uses(name, (32, 48))
    assert use.what == "network"


def test_networks_that_are_folded_run_folded_and_others_take_no_scale():
    assert zoo.options_to_run("span", 2) == {"scale": 2, "folded": True}
    assert zoo.options_to_run("attention_unet", 2) == {}
