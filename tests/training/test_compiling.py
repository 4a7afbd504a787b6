import pytest

from jaxsr.chips.topology import topology_of
from jaxsr.errors import UserError
from jaxsr.training.compiling import compile_step, report_step, trace_step
from jaxsr.training.config import default_config


def small(batch_size=8):
    config = default_config()
    config.model.update(name="span_compact", options={"features": 16, "blocks": 1})
    config.data.low_crop = 8
    config.batch_size = batch_size
    config.scale = 2
    return config


def test_a_step_compiles_for_eight_chips_of_a_tpu_without_data():
    pytest.importorskip("libtpu")
    program = compile_step(small(), topology_of("v5e:2x4"))
    assert program.flops > 0 and program.moved > 0
    assert 0 < program.memory < 2**28
    assert program.collectives["all-reduce"][0] >= 1


@pytest.mark.parametrize("placement", ["host", "device"])
@pytest.mark.parametrize("task", ["segmentation", "restoration", "compression"])
def test_every_task_has_its_shapes_without_data(task, placement):
    config = default_config(task)
    config.model.name = {
        "segmentation": "attention_unet",
        "restoration": "window_restorer",
        "compression": "patch_hyperprior",
    }[task]
    config.data.crop = 96 if task == "restoration" else 128
    if task == "segmentation":
        config.model.options.classes = 1
    config.batch_size = 2
    config.data.placement = placement
    step = trace_step(config, topology_of("cpu:2"))
    data = step.args_info[0][1]
    assert ("layers" in data) == (placement == "device")


def test_a_batch_that_does_not_divide_is_named():
    with pytest.raises(UserError, match="make it a multiple of 4"):
        report_step(small(6), topology_of("cpu:4"))


def test_parts_of_the_parameters_take_less_memory_and_the_same_arithmetic():
    whole, parts = small(), small()
    for config in (whole, parts):
        config.model.options = {"features": 64, "blocks": 2}
    parts.shard_params = True
    here = topology_of("cpu:4")
    whole, parts = compile_step(whole, here), compile_step(parts, here)
    assert parts.arguments < 0.5 * whole.arguments
    assert parts.flops == whole.flops
