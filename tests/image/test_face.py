"""jaxsr.image re-exports what users import."""

import subprocess
import sys

from jaxsr import image


def test_every_public_name_is_there_and_listed():
    for name in image.__all__:
        assert getattr(image, name).__name__ == name
    assert set(image.__all__) <= set(dir(image))


def test_importing_it_imports_no_jax():
    code = "import sys, jaxsr.image; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
