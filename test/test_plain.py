# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Without ROS and without any extra, the package is whole as far as it can be."""

from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[1]
# What setup.py calls an extra, by the names of its modules, and what comes with it.
EXTRAS = (
    'apsw', 'gym_pusht', 'huggingface_hub', 'mcap', 'onnx', 'onnxruntime', 'onnxscript',
    'openvino', 'pygame', 'pymunk', 'rclpy', 'rosbags', 'shapely', 'timm', 'torch_tensorrt',
    'torchvision')
# What is imported only by who has ROS, writes bags or chose that engine.
LEFT_OUT = (
    'nodes', 'bags.recording', 'imagination.onnx', 'imagination.openvino',
    'imagination.tensorrt', 'replay', 'cli.replay')

WITHOUT = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f'no module {{name}}', name=name)

sys.meta_path.insert(0, Absent())
"""


def run_without(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python that has none of the extras."""
    return subprocess.run(
        [sys.executable, '-c', WITHOUT + code], capture_output=True, text=True, check=False,
        cwd=ROOT)


def test_every_module_is_imported_but_those_of_ros_and_of_bags() -> None:
    process = run_without(f"""
from importlib import import_module
from pathlib import Path
for path in sorted(Path('sparse_imagination_ros').rglob('*.py')):
    name = '.'.join(path.with_suffix('').parts).removesuffix('.__init__')
    if not name.removeprefix('sparse_imagination_ros.').startswith({LEFT_OUT!r}):
        import_module(name)
print(len(sys.modules))
""")
    assert process.returncode == 0, process.stderr


def test_it_plans_from_a_picture_to_a_goal() -> None:
    process = run_without("""
from sparse_imagination_ros import Bundle, CommandHistory, Frame, Planner, PlannerConfig
from sparse_imagination_ros.sim.rooms import Rooms
bundle = Bundle.load('models/rooms')
planner = Planner(bundle, PlannerConfig(tokens=4, candidates=16, iterations=1))
world = Rooms('omnidirectional')
planner.set_goal(world.picture_at(world.goal))
cycle = planner.plan(Frame(0.0, world.picture()), CommandHistory(2, 1.0))
print(cycle.imagined, cycle.plan.actions.shape[1])
""")
    assert process.stdout.split() == ['16', '2'], process.stderr


@pytest.mark.parametrize(('words', 'missing'), [
    (['demo'], 'rclpy'), (['train', '/tmp'], ''), (['inspect', 'models/rooms'], '')])
def test_a_command_works_or_names_what_is_missing(words: list[str], missing: str) -> None:
    process = run_without(f"""
from sparse_imagination_ros.cli.main import main
sys.exit(main({words!r}))
""")
    assert 'Traceback' not in process.stderr, process.stderr
    if missing:
        assert process.returncode == 2 and f'`{missing}` is missing' in process.stderr
        assert 'install the extras' in process.stderr
