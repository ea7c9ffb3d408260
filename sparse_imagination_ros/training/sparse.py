# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the sparse predictor is trained for: to foresee tokens from any subset of them.

Randomized grouped attention: each batch splits the token positions in two groups at random, the
same for all frames, and tokens see their own group only. Each group is run by itself. That equals
masked attention over all tokens, in values and in gradients, since attention is the only place
where tokens meet, and leaves out the half of the attention that a mask would throw away.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.tokens.subsets import random_split, random_subset
from sparse_imagination_ros.training.loop import Share
from sparse_imagination_ros.world_models.sparse import SparsePredictor


@dataclass(frozen=True)
class Foresight:
    """How far ahead the predictor is trained, on how many tokens, and whether in groups."""

    rollout: bool = setting(
        True, 'predict from own predictions, as planning does; if not, always from real frames')
    predicted_tokens: int = setting(
        16, 'tokens of each frame that are predicted in a training step; 0 for all', 0, 4096)
    grouped: bool = setting(
        True, 'attention inside two random groups of tokens; if not, between all')


def foresight(
    predictor: SparsePredictor, tokens: Tensor, actions: Tensor, config: Foresight,
    generator: Generator,
) -> Share:
    """
    Return the error of predictions, of the error of predicting that nothing changes.

    As a share it also rewards an encoder whose tokens move, in ways that can be foreseen.
    tokens: [B, F, P, D]; actions: [B, F, A], of which the last is not used.
    """
    count = config.predicted_tokens or tokens.shape[2]
    drawn = random_subset(tokens.shape[2], min(count, tokens.shape[2]), generator)
    groups = random_split(len(drawn), generator) if config.grouped and len(drawn) > 1 else (
        torch.arange(len(drawn)),)
    # Planning begins with as many frames as have been seen: one, up to a whole window.
    last = int(torch.randint(predictor.shape.window, (), generator=generator))
    shares = []
    for group in groups:
        seen = tokens[:, :, drawn[group]]
        if config.rollout:
            shares.append(_rolled_out(predictor, seen, actions, last))
        else:
            shares.append(_one_step(predictor, seen, actions))
    return Share(sum((s.wrong for s in shares), torch.zeros(())),
                 sum((s.change for s in shares), torch.zeros(())))


def _one_step(predictor: SparsePredictor, seen: Tensor, actions: Tensor) -> Share:
    predicted = predictor(seen[:, :-1], actions[:, :-1])
    return Share((predicted - seen[:, 1:]).square().sum(),
                 (seen[:, :-1] - seen[:, 1:]).square().sum())


def _rolled_out(
    predictor: SparsePredictor, seen: Tensor, actions: Tensor, last: int,
) -> Share:
    """
    Roll out from the frame of number `last`.

    A predictor that is judged one step at a time lets the robot seep into walls a little, and
    through them in many.
    """
    wrong, change = torch.zeros(()), torch.zeros(())
    cache = predictor.empty_cache()
    for number in range(last):
        _, cache = predictor.extend(seen[:, number], actions[:, number], cache)
    imagined = seen[:, last]
    for number in range(last, seen.shape[1] - 1):
        imagined, cache = predictor.extend(imagined, actions[:, number], cache)
        wrong = wrong + (imagined - seen[:, number + 1]).square().sum()
        change = change + (seen[:, last] - seen[:, number + 1]).square().sum()
    return Share(wrong, change)
