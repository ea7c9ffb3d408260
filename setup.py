# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What is installed, and where; read by pip and by colcon.

How the code is checked stands in `setup.cfg` (flake8) and `pyproject.toml` (the other tools).
"""

from pathlib import Path

from setuptools import find_packages, setup

NAME = 'sparse_imagination_ros'
HERE = Path(__file__).parent
SHARED_FOLDERS = ('launch', 'config', 'models')

EXTRAS = {
    # ROS 2 Jazzy without a ROS installation. On a robot the distribution's own packages serve.
    'ros': [
        'ros-jazzy-rclpy>=7.1,<8',
        'ros-jazzy-rmw-fastrtps-cpp',
        'ros-jazzy-diagnostic-msgs',
        'ros-jazzy-geometry-msgs',
        'ros-jazzy-lifecycle-msgs',
        'ros-jazzy-nav-msgs',
        'ros-jazzy-sensor-msgs',
        'ros-jazzy-std-msgs',
        'ros-jazzy-std-srvs',
        'ros-jazzy-trajectory-msgs',
        'ros-jazzy-visualization-msgs',
    ],
    'bags': ['rosbags>=0.11'],
    # And `pip install --no-deps gym-pusht`, which asks for a second OpenCV: docs/dependencies.md.
    'pusht': ['pygame>=2.5.2', 'pymunk>=6.6,<7', 'shapely>=2.0.3'],
    # The engine for processors of the x86 kind: docs/engines.md.
    'openvino': ['openvino>=2025.0'],
    # The engine for all others, whose files can be taken elsewhere.
    'onnx': ['onnx>=1.17', 'onnxscript>=0.3', 'onnxruntime>=1.19', 'torch>=2.5'],
    # With the TensorRT that the vendor's own index brings: docs/jetson.md.
    'tensorrt': ['torch-tensorrt>=2.8'],
    'dino': ['timm>=1.0.20', 'huggingface_hub'],
    'test': ['pytest', 'hypothesis', 'mcap', 'mcap-ros2-support'],
    'dev': [
        'pytest-cov', 'pytest-randomly', 'pytest-xdist',
        'mypy', 'types-PyYAML', 'ruff', 'catkin-pkg', 'flake8', 'flake8-blind-except',
        'flake8-builtins', 'flake8-class-newline', 'flake8-comprehensions', 'flake8-deprecated',
        'flake8-docstrings', 'flake8-import-order', 'flake8-quotes',
    ],
}
# The engines that run on any machine are tested on any.
EXTRAS['test'] += EXTRAS['openvino'] + EXTRAS['onnx']
EXTRAS['dev'] += EXTRAS['test']


def shared_files() -> list[tuple[str, list[str]]]:
    """List what goes to share/, sub-folders kept, as (target folder, source files)."""
    files: dict[str, list[str]] = {
        'share/ament_index/resource_index/packages': [f'resource/{NAME}'],
        f'share/{NAME}': ['package.xml'],
    }
    for folder in SHARED_FOLDERS:
        for path in sorted((HERE / folder).rglob('*')):
            source = path.relative_to(HERE)
            hidden = any(part.startswith(('.', '__pycache__')) for part in source.parts)
            if path.is_file() and not hidden:
                files.setdefault(f'share/{NAME}/{source.parent}', []).append(str(source))
    return list(files.items())


setup(
    name=NAME,
    version='0.1.0',
    description='Real-time visual planning for robots with sparse imagination, on ROS 2.',
    long_description='See README.md and docs/.',
    author='The sparse_imagination_ros authors',
    maintainer='The sparse_imagination_ros authors',
    maintainer_email='sparse-imagination-ros@users.noreply.github.com',
    license='Apache-2.0',
    keywords=['ROS', 'world model', 'planning', 'model predictive control'],
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    package_data={NAME: ['py.typed', 'evaluation/templates/*']},
    data_files=shared_files(),
    python_requires='>=3.10',
    install_requires=[
        'gymnasium>=1.0',
        'numpy>=1.22',
        'opencv-python-headless>=4.5',
        'pyyaml>=5.4',
        'rich>=12',
        'safetensors>=0.4',
        'torch>=2.1',
    ],
    extras_require=EXTRAS,
    entry_points={
        'console_scripts': [
            f'sparse-imagination = {NAME}.cli.main:main',
            f'planner_node = {NAME}.nodes.planner_node:main',
            f'bag_node = {NAME}.nodes.bag_node:main',
            f'sim_node = {NAME}.nodes.sim_node:main',
            f'cameras_node = {NAME}.nodes.cameras_node:main',
        ],
    },
    zip_safe=False,
)
