import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jaxsr.chips import programs, report
from jaxsr.chips.table import CHIPS
from jaxsr.chips.topology import Topology, topology_of

EVERYWHERE = PartitionSpec()


def shape(*sides, topology, spec=EVERYWHERE, dtype=jnp.float32):
    sharding = NamedSharding(topology.mesh("batch"), spec)
    return jax.ShapeDtypeStruct(sides, dtype, sharding=sharding)


def descent(weights, x):
    """One step of gradient descent on a matrix, averaged over devices."""
    slope = jax.grad(lambda w: jnp.mean((x @ w) ** 2))(weights)
    return weights - jax.lax.pmean(slope, "batch")


def descended(topology: Topology) -> programs.Program:
    split = PartitionSpec("batch")
    step = jax.shard_map(
        descent,
        mesh=topology.mesh("batch"),
        in_specs=(EVERYWHERE, split),
        out_specs=EVERYWHERE,
        check_vma=False,
    )
    given = (
        shape(64, 32, topology=topology),
        shape(128, 64, topology=topology, spec=split),
    )
    return programs.compiled(jax.jit(step, donate_argnums=0).trace(*given))


def test_operations_bytes_and_messages_of_a_device_are_counted():
    program = descended(topology_of("cpu:4"))
    assert program.flops == 2 * (32 * 64 * 32) * 2  # 32 rows a device, forward and back
    assert program.arguments == 4 * (64 * 32 + 32 * 64)
    assert program.collectives == {"all-reduce": (1, 4 * 64 * 32)}
    assert program.moved > program.arguments
    assert program.memory >= program.arguments


def test_loops_of_known_length_count_as_often_as_they_run():
    def repeated(x):
        return jax.lax.scan(lambda x, _: (x @ x, None), x, length=5)[0]

    program = programs.compiled(jax.jit(repeated).trace(jnp.zeros((8, 8))))
    assert program.flops == 5 * 2 * 8**3


def test_messages_are_read_off_the_text_of_a_program():
    text = """
      %a = f32[8,128]{1,0:T(8,128)} all-reduce(%x), channel_id=1
      %b = (f32[4]{0}, bf16[2,3]{1,0}) all-reduce-start(%y, %z), channel_id=2
      %c = (f32[4]{0}, bf16[2,3]{1,0}) all-reduce-done(%b)
      ROOT %d = bf16[16]{0} all-gather(%w), dimensions={0}
      %e = f32[8]{0} fusion(%all-reduce.1)
    """
    assert programs.collectives(text) == {
        "all-reduce": (2, 4 * 8 * 128 + 4 * 4 + 2 * 6),
        "all-gather": (1, 32),
    }


def test_a_program_too_large_for_the_chip_does_not_fit():
    here = topology_of("cpu:1")
    program = programs.compiled(jax.jit(jnp.sin).trace(shape(256, 256, topology=here)))
    small = Topology("small", here.devices, programs.Chip("small", "", 1.0, 1.0, 1e-6))
    with pytest.raises(programs.DoesNotFit, match="GiB, and a small has 1e-06"):
        report.fits(program, small)
    large = Topology("large", here.devices, CHIPS["v5e"])
    assert report.fits(program, large) is program


def test_a_program_that_xla_cannot_print_has_all_figures_but_its_messages(monkeypatch):
    def unprintable(self):
        raise jax.errors.JaxRuntimeError("INTERNAL: RET_CHECK failure")

    monkeypatch.setattr(jax.stages.Compiled, "as_text", unprintable)
    here = topology_of("cpu:1")
    program = programs.compiled(jax.jit(jnp.sin).trace(shape(8, topology=here)))
    assert program.collectives is None and program.memory > 0
    assert "messages     unknown" in report.described(program, here, 1)


def test_the_compiler_of_a_tpu_tells_what_it_lacks():
    pytest.importorskip("libtpu")
    tpu = topology_of("v5e:1x1")
    huge = shape(1 << 16, 1 << 16, topology=tpu)
    with pytest.raises(
        programs.DoesNotFit, match=r"it needs \d+\.\d+ GiB, and a device has 15\.75"
    ):
        programs.compiled(jax.jit(lambda x: (jnp.sin(x) @ jnp.cos(x).T) @ x).trace(huge))


def test_a_report_has_all_figures_of_a_step():
    pytest.importorskip("libtpu")
    tpu = topology_of("v5e:2x4")
    program = descended(tpu)
    text = report.described(program, tpu, 128)
    assert "8 on 2 hosts, v5e:2x4" in text
    assert "of 16 GiB" in text
    assert "1 all-reduce of 0.00819 MB" in text
    seconds = max(program.flops / 197e12, program.moved / 819e9)
    assert np.isclose(program.bound(CHIPS["v5e"]), seconds)
    assert f"at most {128 / seconds:,.0f} a second" in text
    row = report.row(program, tpu)
    assert row.split()[-1] == "s" and "memory" in row
