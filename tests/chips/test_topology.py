import pytest

from jaxsr.chips.topology import topology_of
from jaxsr.errors import UserError


@pytest.mark.parametrize(
    ("name", "devices", "hosts"),
    [
        ("v4:2x2x1", 4, 1),
        ("v5e:1x1", 1, 1),
        ("v5e:2x4", 8, 2),
        ("v5e:16x16", 256, 64),
        ("v5p:2x2x2", 8, 2),
        ("v6e:1x1", 1, 1),
        ("v6e:2x2", 4, 1),
    ],
)
def test_a_tpu_that_is_not_here_has_its_devices_and_hosts(name, devices, hosts):
    pytest.importorskip("libtpu")
    topology = topology_of(name)
    assert (len(topology.devices), topology.hosts) == (devices, hosts)
    assert topology.chip is not None and topology.chip.name == name.partition(":")[0]


def test_cpu_devices_have_no_chip():
    topology = topology_of("cpu:3")
    assert len(topology.devices) == 3
    assert topology.chip is None


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("v9:2x2", "v4:2x2x1, v5e:4x4"),
        ("tpu", "v4:2x2x1, v5e:4x4"),
        ("v5e", "v5e:AxB"),
        ("v5e:2x2x1", "v5e:AxB"),
        ("v5p:2x2", "v5p:AxBxC"),
        ("v5e:0x2", "v5e:AxB"),
        ("v5e:3x3", "no topology that its compiler knows"),
        ("cpu:0", "cpu:8"),
        ("cpu:9999", "JAX_NUM_CPU_DEVICES"),
        ("gpu", "no GPU here"),
    ],
)
def test_a_topology_that_cannot_be_is_an_error_that_names_those_that_can(name, says):
    if name.startswith(("v5", "v4")):
        pytest.importorskip("libtpu")
    with pytest.raises(UserError, match=says):
        topology_of(name)


def test_without_libtpu_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'jaxsr\[tpu-compile\]'"):
        topology_of("v5e:2x2")
