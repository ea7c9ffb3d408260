# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A planner for a robot: with an engine that can be had, and with what is known of the machine."""

from dataclasses import dataclass, replace
from pathlib import Path

from sparse_imagination_ros.imagination.engines import chosen, with_stand_ins
from sparse_imagination_ros.planning.charged import charged
from sparse_imagination_ros.planning.latency import (
    latency_file,
    LatencyModel,
    read_latency,
    write_latency,
)
from sparse_imagination_ros.planning.planner import Planner, PlannerConfig
from sparse_imagination_ros.world_models.bundle import Bundle


@dataclass(frozen=True)
class Equipped:
    """
    A planner, and what it was equipped with.

    engine: the setting of that name, as far as it could be had; latency_file: where what is
    learned of the machine is kept; notes: what its user should know of the engine, if anything.
    """

    planner: Planner
    engine: str
    latency_file: Path | None = None
    notes: str = ''

    def suited(self, config: PlannerConfig) -> PlannerConfig:
        """Return a config with the engine that this planner has."""
        return replace(config, engine=self.engine)

    def keep_latency(self) -> None:
        """Keep what was learned of the machine for the next start."""
        if self.latency_file is not None:
            write_latency(self.latency_file, self.planner.latency)


def equipped(bundle: Bundle, config: PlannerConfig, timeless: bool) -> Equipped:
    """
    Return a planner with the configured engine, or with the first one that may stand in for it.

    timeless: whether it plans without a deadline, by a clock that stands still.
    """
    def made(engine: str) -> Equipped:
        suited = replace(config, engine=engine)
        if timeless:
            return Equipped(charged(bundle, suited, 0.0), engine)
        # A bundle that was never saved has nowhere to keep it.
        path = bundle.folder and latency_file(
            bundle.folder, str(chosen(engine, bundle).variant))
        latency = read_latency(path) if path else LatencyModel()
        result = Equipped(Planner(bundle, suited, latency=latency), engine, path)
        result.keep_latency()
        return result

    found, wrong = with_stand_ins(config.engine, made)
    notes = filter(None, (*wrong, found.planner.engine.note))
    return replace(found, notes='; '.join(notes))
