# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The numbers of a cycle that are worth a plot."""

from math import nan

from sparse_imagination_ros.planning.worker import Finished

# name -> what it is
NUMBERS = {
    'cycle_ms': 'from the start of the cycle to its plan',
    'budget_ms': 'what that may take',
    'wait_ms': 'how long the picture lay in the mailbox',
    'encode_ms': 'encoding the picture',
    'imagine_ms': 'imagining candidates',
    'stamp_to_command_ms': 'from the stamp of a picture to its first command, of the plan before',
    'tokens_used': 'how many tokens were imagined',
    'imagined': 'how many candidates, in all iterations',
    'effective_samples': 'how many of them counted in the last mean',
    'cost': 'the lowest cost',
    'goal_distance': 'from what the camera sees to the goal, over all tokens',
}


def cycle_numbers(
    finished: Finished, budget_ms: float, stamp_to_command_ms: float,
) -> dict[str, float]:
    """Return them by name; what there is none of is NaN."""
    cycle = finished.cycle
    return {
        'cycle_ms': finished.total_ms, 'budget_ms': budget_ms, 'wait_ms': finished.waited_ms,
        'encode_ms': cycle.encode_ms, 'imagine_ms': cycle.imagine_ms,
        'stamp_to_command_ms': stamp_to_command_ms, 'tokens_used': cycle.tokens,
        'imagined': cycle.imagined,
        'effective_samples': cycle.optimum.effective if cycle.optimum else nan,
        'cost': cycle.cost, 'goal_distance': cycle.goal_distance}


def caption(finished: Finished, total_tokens: int, budget_ms: float) -> tuple[str, str]:
    """Return what stands below the picture of the tokens, in two lines."""
    cycle = finished.cycle
    return (f'{cycle.tokens} of {total_tokens} tokens   {finished.total_ms:.0f} of '
            f'{budget_ms:.0f} ms',
            f'{cycle.imagined} imagined   goal distance {cycle.goal_distance:.3g}')
