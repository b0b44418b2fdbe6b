"""What the tests share."""

import pytest

import kaleidoscope_jit as ks


@pytest.fixture
def engine():
    return ks.Engine()
