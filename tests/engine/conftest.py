"""The fixtures of the engine, for the tests of this folder."""

from __future__ import annotations

from tests.engine.fixtures import busybox_image as busybox_image
from tests.engine.fixtures import echo_image as echo_image
from tests.engine.fixtures import engine as engine
from tests.engine.fixtures import envoy_image as envoy_image
from tests.engine.fixtures import project as project
from tests.engine.fixtures import python_image as python_image
from tests.engine.fixtures import time_image as time_image
