# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command `demo`: real nodes, a real bag, and nothing left behind."""

from collections import Counter
from collections.abc import Callable, Iterator
import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
import pytest

from sparse_imagination_ros.planning.planner import PlannerConfig

pytestmark = pytest.mark.ros

SHOWN = {
    'episodes', 'successes', 'rmw_implementation', 'processes', 'cycle_ms', 'budget_ms',
    'deadline_misses', 'cycles', 'tokens', 'command_rate_hz', 'commands_outside_limits',
    'encodes_per_cycle'}
TOPICS = {
    '/image', '/odom', '/goal_image', '/goal_pose', '/cmd_vel', '/planner_node/cycle',
    '/planner_node/arrived', '/diagnostics'}


def command(bundle: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, '-m', 'sparse_imagination_ros.cli.main', 'demo', '--bundle',
            str(bundle), '--out', str(out), *more]


@pytest.fixture(scope='module')
def finished(
    untrained: Path, tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp('demo')
    return out, subprocess.run(
        command(untrained, out, '--episodes', '2', '--time-limit', '2.5'), capture_output=True,
        text=True, timeout=120, check=False)


Finished = tuple[Path, subprocess.CompletedProcess[str]]


def test_it_ends_well_and_prints_a_table(finished: Finished) -> None:
    _, process = finished
    assert process.returncode == 0, process.stderr
    assert 'goals reached' in process.stdout and 'report.html' in process.stdout
    assert 'Traceback' not in process.stderr


def test_the_summary_holds_what_was_promised(finished: Finished) -> None:
    summary = json.loads((finished[0] / 'summary.json').read_text())
    assert summary.keys() == SHOWN | {'success', 'low', 'high'}
    assert summary['episodes'] == 2 and summary['processes'] == 3
    assert summary['cycle_ms'].keys() == {'p50', 'p95', 'p99', 'max'}
    assert summary['rmw_implementation'].startswith('rmw_')
    assert summary['encodes_per_cycle'] == 1
    assert summary['tokens'] == PlannerConfig().tokens
    assert summary['commands_outside_limits'] == 0
    assert summary['cycles'] > 5 and summary['deadline_misses'] <= summary['cycles']


def test_an_independent_reader_finds_every_message_that_was_published(finished: Finished) -> None:
    counts: Counter[str] = Counter()
    sent: dict[str, Counter[str]] = {}
    with (finished[0] / 'bag' / 'bag.mcap').open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        for _, channel, _, message in reader.iter_decoded_messages():
            counts[channel.topic] += 1
            if channel.topic == '/diagnostics':
                for status in message.status:
                    sent[status.name] = Counter({
                        pair.key.removeprefix('sent '): int(pair.value)
                        for pair in status.values if pair.key.startswith('sent ')})
    published: Counter[str] = sum(sent.values(), Counter())
    assert published.keys() == TOPICS
    assert {topic: counts[topic] for topic in TOPICS} == published
    assert not (finished[0] / 'bag' / 'metadata.yaml').read_text().isspace()


def test_the_report_and_the_logs_are_there(finished: Finished) -> None:
    out, _ = finished
    assert '<html' in (out / 'report.html').read_text()
    assert 'driving' in (out / 'logs' / 'planner_node.log').read_text()
    assert 'new world: held_out 9001' in (out / 'logs' / 'sim_node.log').read_text()


def _hear_ctrl_c() -> None:
    # What a shell starts in the background does not, nor does what that starts.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Running:
    """A demonstration that runs until it is disturbed."""

    def __init__(self, bundle: Path, out: Path) -> None:
        self.out = out
        self._log = out / 'terminal'
        with self._log.open('w') as log:
            self.process = subprocess.Popen(
                command(bundle, out, '--episodes', '50', '--time-limit', '1'), stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_hear_ctrl_c)
        self.wait(lambda: 'seed 9000' in self.output(), 'the first episode to end')

    def output(self) -> str:
        return self._log.read_text()

    def wait(self, until: Callable[[], object], what: str) -> None:
        end_s = time.monotonic() + 60
        while not until():
            if time.monotonic() > end_s:
                self.process.kill()
                logs = ''.join(
                    f'\n{log}:\n{log.read_text()}' for log in self.out.glob('logs/*.log'))
                pytest.fail(f'waited in vain for {what}:\n{self.output()}{logs}')
            time.sleep(0.1)

    def ends(self) -> int:
        self.wait(lambda: self.process.poll() is not None, 'the end')
        return self.process.returncode

    def nodes(self) -> dict[str, int]:
        """Return the processes of its nodes that are alive, by name."""
        alive = {}
        for folder in Path('/proc').glob('[0-9]*'):
            try:
                words = (folder / 'cmdline').read_text().split('\0')
                ours = str(self.out) in (folder / 'environ').read_text()
            except OSError:
                continue
            if ours and len(words) > 2 and words[2].startswith('sparse_imagination_ros.nodes.'):
                alive[words[2].rpartition('.')[2]] = int(folder.name)
        return alive


@pytest.fixture
def running(untrained: Path, tmp_path: Path) -> Iterator[Running]:
    running = Running(untrained, tmp_path)
    yield running
    running.process.kill()


def test_ctrl_c_ends_all_and_leaves_a_bag_that_can_be_read(running: Running) -> None:
    assert running.nodes().keys() == {'sim_node', 'planner_node'}
    os.killpg(running.process.pid, signal.SIGINT)
    assert running.ends() == 130
    assert not running.nodes()
    assert 'Traceback' not in running.output()
    with (running.out / 'bag' / 'bag.mcap').open('rb') as file:
        assert make_reader(file).get_summary() is not None


def test_a_node_that_dies_is_named_with_the_end_of_its_log(running: Running) -> None:
    os.kill(running.nodes()['planner_node'], signal.SIGKILL)
    assert running.ends() == 2
    output = running.output()
    assert 'error: planner_node ended by itself (killed by SIGKILL)' in output
    log = re.search(r'the end of (\S+planner_node\.log):', output)
    assert log and Path(log[1]).read_text().splitlines()[-1] in output
    assert 'Traceback' not in output and not running.nodes()


def test_nodes_do_not_outlive_a_demonstration_that_is_killed(running: Running) -> None:
    running.process.kill()
    running.wait(lambda: not running.nodes(), 'the nodes to end')


@pytest.mark.parametrize(('more', 'words'), [
    (('--episodes', '0'), 'at least 1'), (('--domain', '500'), 'the range is [1, 101]')])
def test_what_cannot_be_is_refused_in_one_line(
    untrained: Path, tmp_path: Path, more: tuple[str, ...], words: str,
) -> None:
    process = subprocess.run(
        command(untrained, tmp_path, *more), capture_output=True, text=True, timeout=60,
        check=False)
    assert process.returncode == 2
    assert len(process.stderr.splitlines()) == 1 and words in process.stderr


def test_a_missing_bundle_is_told_before_the_user_waits(tmp_path: Path) -> None:
    process = subprocess.run(
        command(tmp_path / 'no' / 'bundle', tmp_path / 'out'), capture_output=True, text=True,
        timeout=60, check=False)
    assert process.returncode == 2
    assert str(tmp_path / 'no' / 'bundle') in process.stderr
    assert 'Traceback' not in process.stderr
