# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""For tests over real ROS 2: nodes in processes of their own, on a domain of their own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
import pytest
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile

from sparse_imagination_ros.cli.domains import isolated, own_domain
from sparse_imagination_ros.cli.processes import Processes
from sparse_imagination_ros.graph import NodeSpec
from sparse_imagination_ros.nodes.messages import readings
from sparse_imagination_ros.share import share_path

# Machines that run tests are slow and busy.
PATIENCE_S = 120.0
FILES = {
    'sim_node': 'sim.yaml', 'planner_node': 'planner.yaml', 'cameras_node': 'cameras.yaml'}
TRANSITIONS = {
    'configure': Transition.TRANSITION_CONFIGURE, 'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE, 'cleanup': Transition.TRANSITION_CLEANUP}


class Graph:
    """Starts nodes and talks to them."""

    def __init__(self, domain: int, processes: Processes, logs: Path) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node('probe', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.processes, self._logs = processes, logs
        self.heard: dict[str, list[Any]] = {}
        self._statuses: dict[str, DiagnosticStatus] = {}
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_status, 10)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def start(self, executable: str, **parameters: Any) -> int:
        return self.processes.start(NodeSpec(
            executable, share_path('config', FILES[executable]), tuple(parameters.items())))

    def log(self, executable: str) -> str:
        return (self._logs / f'{executable}.log').read_text()

    def wait(self, until: Callable[[], Any], what: str, limit_s: float = PATIENCE_S) -> float:
        """Spin until it is so; return how long that took."""
        began_s = time.monotonic()
        while not until():
            self._executor.spin_once(timeout_sec=0.02)
            if time.monotonic() - began_s > limit_s:
                status = {s.name: s.message for s in self._statuses.values()}
                pytest.fail(f'waited {limit_s:g} s for {what}; diagnostics: {status}')
        return time.monotonic() - began_s

    def spin(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._executor.spin_once(timeout_sec=0.02)

    def listen(self, kind: type, topic: str, latched: bool = False) -> list[Any]:
        heard = self.heard[topic] = []
        qos = QoSProfile(depth=100)
        if latched:
            qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def ask(self, kind: type, service: str, request: Any) -> Any:
        client = self.node.create_client(kind, service)
        self.wait(client.service_is_ready, f'the service {service}')
        # We found it; unless it found us too, its answer is lost.
        self.spin(0.2)
        future = client.call_async(request)
        self.wait(future.done, f'an answer of {service}')
        self.node.destroy_client(client)
        return future.result()

    def transition(self, name: str) -> bool:
        request = ChangeState.Request(transition=Transition(id=TRANSITIONS[name]))
        return bool(self.ask(ChangeState, 'planner_node/change_state', request).success)

    def state(self) -> str:
        answer = self.ask(GetState, 'planner_node/get_state', GetState.Request())
        return str(answer.current_state.label)

    def change(self, node: str, **values: Any) -> list[Any]:
        request = SetParameters.Request(parameters=[
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()])
        return list(self.ask(SetParameters, f'{node}/set_parameters', request).results)

    def status(self, node: str) -> DiagnosticStatus | None:
        for name, status in self._statuses.items():
            if name.startswith(f'{node}:'):
                return status
        return None

    @property
    def all_statuses(self) -> dict[str, DiagnosticStatus]:
        """Return the newest status of each name."""
        return self._statuses

    def wait_for_status(self, node: str, text: str) -> DiagnosticStatus:
        def says() -> bool:
            status = self.status(node)
            return status is not None and text in status.message
        self.wait(says, f'{node} to say "{text}"')
        status = self.status(node)
        assert status is not None
        return status

    def readings(self, node: str) -> dict[str, str]:
        status = self.status(node)
        return readings(status) if status else {}

    def _on_status(self, message: DiagnosticArray) -> None:
        self._statuses.update({status.name: status for status in message.status})


@contextmanager
def own_graph(folder: Path) -> Iterator[Graph]:
    with own_domain() as domain, pytest.MonkeyPatch.context() as patch:
        for name, value in isolated(domain).items():
            patch.setenv(name, value)
        patch.setenv('ROS_LOG_DIR', str(folder / 'ros'))
        with Processes(folder / 'logs', isolated(domain)) as processes:
            graph = Graph(domain, processes, folder / 'logs')
            try:
                yield graph
            finally:
                graph.close()
