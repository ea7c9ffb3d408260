# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The errors that users meet. Each message names the thing that was wrong and what to do."""


class SparseImaginationError(Exception):
    """Something the user can put right; shown without a traceback."""


class ConfigError(SparseImaginationError):
    """A setting is unknown, of the wrong type or out of range."""


class FrameError(SparseImaginationError):
    """An image cannot be read."""


class BundleError(SparseImaginationError):
    """A bundle is missing, damaged or does not fit together."""


class DataError(SparseImaginationError):
    """Recorded data is missing or damaged."""


class WorldError(SparseImaginationError):
    """A simulated world was asked for something that it does not have."""


class NodeError(SparseImaginationError):
    """Another node does not answer, or does not do what it is asked for."""


class PlanningError(SparseImaginationError):
    """The planner was used in a state in which it cannot plan."""


class EngineError(SparseImaginationError):
    """An engine cannot be had here, or does not compute what it should."""


class CheckpointError(SparseImaginationError):
    """A checkpoint of another program is missing, damaged, dangerous or of an unknown kind."""


class EncoderError(SparseImaginationError):
    """The weights of an encoder are missing or not its own."""
