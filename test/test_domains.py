# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two runs never get the same domain."""

from pathlib import Path
import tempfile

import pytest

from sparse_imagination_ros.cli.domains import DOMAINS, isolated, own_domain
from sparse_imagination_ros.errors import ConfigError


@pytest.fixture(autouse=True)
def nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a list of our own: tests that run beside this one borrow domains, too."""
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))


def test_runs_side_by_side_get_different_domains() -> None:
    with own_domain() as one, own_domain() as other:
        assert one != other and {one, other} <= set(DOMAINS)


def test_a_domain_that_is_in_use_is_refused_and_free_again_afterwards() -> None:
    with own_domain() as domain, pytest.raises(ConfigError, match=f'domain {domain}: in use'), \
            own_domain(domain):
        pass
    with own_domain(domain) as again:
        assert again == domain


@pytest.mark.parametrize('wrong', [0, -1, 102])
def test_a_domain_outside_the_range_is_refused(wrong: int) -> None:
    with pytest.raises(ConfigError, match=rf'domain {wrong} is not allowed.*\[1, 101\]'), \
            own_domain(wrong):
        pass


def test_ros_stays_on_this_machine() -> None:
    assert isolated(7) == {
        'ROS_DOMAIN_ID': '7', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
