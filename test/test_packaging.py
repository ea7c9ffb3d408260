# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""package.xml, setup.py and the code tell the same story."""

import ast
from importlib import import_module
from pathlib import Path
import re
import subprocess
import sys
from typing import Any

import pytest

catkin_pkg = pytest.importorskip('catkin_pkg.package', reason='it comes with colcon')

ROOT = Path(__file__).parents[1]
CODE = ('sparse_imagination_ros', 'launch')
# Imported name -> rosdep key, where they differ.
ROSDEP_KEYS = {
    'cv2': 'python3-opencv',
    'gymnasium': 'python3-gymnasium-pip',
    'numpy': 'python3-numpy',
    'rich': 'python3-rich',
    'torch': 'python3-torch',
    'yaml': 'python3-yaml',
}
NOT_DECLARED = {
    'apsw',  # comes with rosbags
    'builtin_interfaces',  # comes with every message package
    'cv_bridge',  # optional
    'gym_pusht',  # optional, has no rosdep key
    'huggingface_hub',  # comes with timm
    'onnx',  # optional
    'onnxruntime',  # optional, has no rosdep key
    'openvino',  # optional, has no rosdep key
    'rosbags',  # optional
    'safetensors',  # has no rosdep key
    'timm',  # optional
    'torch_tensorrt',  # optional, has no rosdep key
    'torchvision',  # comes with timm
}


@pytest.fixture(scope='module')
def package() -> Any:
    warnings: list[str] = []
    parsed = catkin_pkg.parse_package(str(ROOT / 'package.xml'), warnings=warnings)
    assert not warnings
    return parsed


def imported_names() -> set[str]:
    names = set()
    for path in (p for folder in CODE for p in (ROOT / folder).rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split('.')[0])
    return names


def third_party(names: set[str]) -> set[str]:
    return names - set(sys.stdlib_module_names) - {'sparse_imagination_ros'}


def test_package_xml_is_a_valid_ament_python_package(package: Any) -> None:
    assert package.package_format == 3
    assert package.get_build_type() == 'ament_python'
    package.validate()


def test_the_versions_agree(package: Any) -> None:
    setup = (ROOT / 'setup.py').read_text(encoding='utf-8')
    assert f"version='{package.version}'" in setup
    assert package.version in (ROOT / 'CHANGELOG.rst').read_text(encoding='utf-8')


def test_every_import_is_declared_and_every_declaration_is_used(package: Any) -> None:
    declared = {dependency.name for dependency in package.exec_depends}
    used = {ROSDEP_KEYS.get(name, name) for name in third_party(imported_names()) - NOT_DECLARED}
    assert used - declared == set(), 'imported, but not in package.xml'
    assert declared - used == set(), 'in package.xml, but never imported'


def test_every_console_script_leads_to_a_function() -> None:
    setup = (ROOT / 'setup.py').read_text(encoding='utf-8')
    scripts = re.findall(r"f'[\w-]+ = \{NAME\}\.([\w.]+):(\w+)'", setup)
    assert len(scripts) == 5
    for module, function in scripts:
        assert callable(getattr(import_module(f'sparse_imagination_ros.{module}'), function))


def test_what_is_needed_at_run_time_may_be_used_by_anybody() -> None:
    process = subprocess.run(
        [sys.executable, ROOT / '.ci/licences'], capture_output=True, text=True, check=False)
    assert re.search(r'^torch +\S+ +run time +\S', process.stdout, re.MULTILINE)
    # Tools that others have installed here may say nothing: that is a matter of `make licences`.
    assert 'GPL' not in process.stderr, process.stderr


def test_the_safety_path_is_of_files_that_are_there() -> None:
    names = re.findall(r"'([\w/]+\.py)'", (ROOT / '.ci/safety-coverage').read_text())
    assert len(names) > 20
    assert all((ROOT / 'sparse_imagination_ros' / name).is_file() for name in names)


def pins(path: Path) -> dict[str, set[str]]:
    """Return the versions that a file of requirements allows, by package."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r'^([\w.-]+)==([\w.+]+)', path.read_text(), re.MULTILINE):
        found.setdefault(re.sub(r'[-_.]+', '-', name).lower(), set()).add(version)
    return found


@pytest.mark.parametrize('lock', sorted((ROOT / 'requirements/locks').glob('dev-*.txt')),
                         ids=lambda path: path.stem)
def test_a_lock_holds_what_is_pinned_each_with_a_hash(lock: Path) -> None:
    pinned: dict[str, set[str]] = {}
    for name in ('base', 'dev', 'pusht', 'constraints'):
        for package, versions in pins(ROOT / f'requirements/{name}.txt').items():
            pinned.setdefault(package, set()).update(versions)
    locked, text = pins(lock), lock.read_text()
    assert len(locked) > 100 and text.count('--hash=sha256:') == len(locked)
    for package, versions in locked.items():
        # The wheels of ROS pin each other.
        assert package not in pinned or versions <= pinned[package], 'run `make lock`'
    for name in ('torch', 'numpy', 'ros-jazzy-rclpy', 'gym-pusht', 'pytest-xdist'):
        assert name in locked
