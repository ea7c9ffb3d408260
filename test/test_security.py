# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What docs/security.md promises: who may say what, no ports, no code in data, no other files."""

import ast
from collections.abc import Iterator
import os
from pathlib import Path
import re
from xml.etree import ElementTree

import pytest

from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.files import check_confined

ROOT = Path(__file__).parents[1]
POLICY = ROOT / 'config/sros2/policy.xml'
NODES = ('planner_node', 'sim_node')
BELOW = range(7000, 7400)
# What runs what it reads, by the names that it is called by; and where each may be named.
IMPORTER = 'world_models/unpickling.py'
CALLS = {
    'pickle.load': (), 'pickle.loads': (), 'pickle.Unpickler': (IMPORTER,), 'marshal.load': (),
    'marshal.loads': (), 'shelve.open': (), 'dill.load': (), 'joblib.load': (), 'eval': (),
    'exec': (), 'compile': (), '__import__': (), 'os.system': (), 'os.popen': (),
    'yaml.load': (), 'yaml.unsafe_load': (), 'yaml.full_load': (), 'torch.load': (
        IMPORTER, 'training/loop.py', 'training/official_data.py'),
    'torch.jit.load': (), 'torch.hub.load': (), 'torch.package.PackageImporter': ()}


def policy(node: str) -> dict[str, set[str]]:
    """Return the names by what is allowed: subscribe, publish, reply, request."""
    profile = next(one for one in ElementTree.parse(POLICY).iter('profile')
                   if one.get('node') == node)
    found: dict[str, set[str]] = {'subscribe': set(), 'publish': set(), 'reply': set(),
                                  'request': set(), 'call': set(), 'execute': set()}
    for group in profile:
        for action, word in group.attrib.items():
            assert word == 'ALLOW'
            found[action] |= {full(one.text or '', node) for one in group}
    return found


def full(name: str, node: str) -> str:
    """Return a name as sros2 resolves it in the namespace /."""
    return name if name.startswith('/') else f'/{name.replace("~", node)}'


@pytest.mark.ros
@pytest.mark.parametrize('node', NODES)
def test_the_policy_allows_exactly_what_a_running_node_has(
    node: str, request: pytest.FixtureRequest, untrained: Path,
) -> None:
    graph = request.getfixturevalue('graph')
    if node == 'planner_node':
        graph.start(node, bundle=str(untrained), autostart=True)
        graph.wait_for_status(node, 'stale camera')
    else:
        graph.start(node)
        graph.wait(lambda: graph.status(node), 'a sign of life')
    asked = graph.node
    # What is discovered comes one by one.
    graph.spin(1.0)
    there = {
        'subscribe': asked.get_subscriber_names_and_types_by_node(node, '/'),
        'publish': asked.get_publisher_names_and_types_by_node(node, '/'),
        'reply': asked.get_service_names_and_types_by_node(node, '/'),
        'request': asked.get_client_names_and_types_by_node(node, '/')}
    names = {action: {name for name, _ in held} for action, held in there.items()}
    allowed = policy(node)
    # It has no action, as client or as server.
    assert allowed.pop('call') == allowed.pop('execute') == set()
    assert allowed == names


@pytest.mark.ros
def test_a_running_node_has_no_tcp_socket_and_no_port_that_a_bare_node_has_not(
    request: pytest.FixtureRequest, untrained: Path,
) -> None:
    graph = request.getfixturevalue('graph')
    process = graph.start('planner_node', bundle=str(untrained), autostart=True)
    graph.wait_for_status('planner_node', 'stale camera')
    assert not list(sockets(process, 'tcp'))
    # Where others find it, and where they talk to it: 250 for each domain from 7400 on.
    first = 7400 + 250 * graph.node.context.get_domain_id()
    ports = {port for port, _ in sockets(process, 'udp')}
    known = {port for port in ports if first <= port < first + 250}
    assert known, 'this is how it is found'
    # What is only sent from is any.
    ephemeral = int(Path('/proc/sys/net/ipv4/ip_local_port_range').read_text().split()[0])
    others = {port for port in ports - known if port < ephemeral}
    # This process has a node, too, that does nothing: Fast DDS takes one below for each.
    bare = {port for port, _ in sockets(os.getpid(), 'udp') if port in BELOW}
    assert others <= set(BELOW) and len(others) == len(bare)


def sockets(process: int, kind: str) -> Iterator[tuple[int, str]]:
    """Yield port and state of each socket of a process, of IPv4 and IPv6."""
    targets = []
    for handle in Path(f'/proc/{process}/fd').iterdir():
        try:
            targets.append(str(handle.readlink()))
        except OSError:
            # It was closed meanwhile.
            continue
    own = {found[1] for target in targets if (found := re.fullmatch(r'socket:\[(\d+)\]', target))}
    for table in (kind, f'{kind}6'):
        path = Path(f'/proc/{process}/net/{table}')
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            words = line.split()
            if words[9] in own:
                yield int(words[1].rpartition(':')[2], 16), words[3]


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_nothing_runs_what_it_reads_but_the_importer_which_is_restricted() -> None:
    for path in (ROOT / 'sparse_imagination_ros').rglob('*.py'):
        place = str(path.relative_to(ROOT / 'sparse_imagination_ros'))
        tree = ast.parse(path.read_text(encoding='utf-8'))
        for node in ast.walk(tree):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else (
                ast.unparse(node) if isinstance(node, ast.Attribute) else '')
            assert place in CALLS.get(name, (place,)), f'{place}:{node.lineno}: {name}'
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import)
                    for alias in node.names}
        assert 'pickle' not in imported or place == IMPORTER, place


def test_weights_and_arrays_are_read_as_such() -> None:
    for path in (ROOT / 'sparse_imagination_ros').rglob('*.py'):
        for call in calls(ast.parse(path.read_text(encoding='utf-8'))):
            given = {word.arg: ast.unparse(word.value) for word in call.keywords}
            name = ast.unparse(call.func)
            if name == 'torch.load' and path.name != Path(IMPORTER).name:
                assert given.get('weights_only') == 'True', f'{path}:{call.lineno}'
            elif name == 'torch.load':
                assert given['pickle_module'].startswith('_restricted('), f'{path}:{call.lineno}'
            assert given.get('allow_pickle', 'False') == 'False', f'{path}:{call.lineno}'
            assert given.get('shell', 'False') == 'False', f'{path}:{call.lineno}'


def test_a_file_outside_the_folders_is_refused_also_by_a_link(tmp_path: Path) -> None:
    inside, outside = tmp_path / 'inside', tmp_path / 'outside'
    inside.mkdir()
    outside.mkdir()
    (inside / 'link').symlink_to(outside)
    for path in (inside / 'goal.png', inside, inside / 'not/there'):
        check_confined(path, ['', str(inside)], 'goals')
    for path in (outside, inside / '../outside/goal.png', inside / 'link/goal.png', Path('/etc'),
                 tmp_path / 'inside2'):
        with pytest.raises(ConfigError, match=r'`goals` is .* `file_folders` \(.*inside\)'):
            check_confined(path, [str(inside)], 'goals')
    check_confined(outside, [''], 'goals')


@pytest.mark.ros
@pytest.mark.parametrize(('name', 'value'), [
    ('goals', ['/etc/passwd']), ('goals', ['{folder}/../x@1']), ('goal_folder', '/var/tmp'),
    ('bundle', '/tmp/another'), ('region_mask', '/etc/hostname')])
def test_a_node_that_was_confined_refuses_other_files(
    name: str, value: object, request: pytest.FixtureRequest, untrained: Path, tmp_path: Path,
) -> None:
    graph = request.getfixturevalue('graph')
    if isinstance(value, list):
        value = [word.format(folder=tmp_path) for word in value]
    graph.start('planner_node', bundle=str(untrained), goal_folder=str(tmp_path),
                file_folders=[str(untrained.parent), str(tmp_path)])
    result = graph.change('planner_node', **{name: value})[0]
    if result.successful:
        # What is read when the node is configured is refused then.
        assert not graph.transition('configure')
        graph.wait_for_status('planner_node', 'lies in none of the `file_folders`')
    else:
        assert 'lies in none of the `file_folders`' in result.reason
    refused = graph.change('planner_node', file_folders=[''])[0]
    assert not refused.successful, 'whoever sets parameters cannot let himself out'
