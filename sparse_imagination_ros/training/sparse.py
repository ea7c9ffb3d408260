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
from sparse_imagination_ros.training.objectives import mistold
from sparse_imagination_ros.world_models.sparse import SparsePredictor

# Errors of what is told count as their squares up to here, of half the picture: what hardly moves
# is easily foretold, and what is pushed must count more.
PUSHED = 0.1


@dataclass(frozen=True)
class Foresight:
    """How far ahead the predictor is trained, on how many tokens, and whether in groups."""

    rollout: bool = setting(
        True, 'predict from own predictions, as planning does; if not, always from real frames')
    predicted_tokens: int = setting(
        16, 'tokens of each frame that are predicted in a training step; 0 for all', 0, 4096)
    grouped: bool = setting(
        True, 'attention inside two random groups of tokens; if not, between all')
    moving: float = setting(
        0.0, 'share of clips that rather begin where much moves', 0.0, 1.0)
    told: float = setting(
        0.0, 'weight of telling where things are from what was imagined; planning then goes by '
             'what tokens tell, not by themselves; 0 for neither', 0.0, 1000.0)


def foresight(
    predictor: SparsePredictor, tokens: Tensor, actions: Tensor, config: Foresight,
    generator: Generator, known: Tensor | None = None,
) -> Share:
    """
    Return the error of predictions, of the error of predicting that nothing changes.

    As a share it also rewards an encoder whose tokens move, in ways that can be foreseen.
    tokens: [B, F, P, D]; actions: [B, F, A], of which the last is not used; known: [B, F, Q], what
    tokens shall tell, seen or imagined, if the predictor has a reader.
    """
    count = config.predicted_tokens or tokens.shape[2]
    drawn = random_subset(tokens.shape[2], min(count, tokens.shape[2]), generator)
    groups = random_split(len(drawn), generator) if config.grouped and len(drawn) > 1 else (
        torch.arange(len(drawn)),)
    # Planning begins with as many frames as have been seen: one, up to a whole window.
    last = int(torch.randint(predictor.shape.window, (), generator=generator))
    wrong, change = torch.zeros(()), torch.zeros(())
    for group in groups:
        seen = tokens[:, :, drawn[group]]
        if config.rollout:
            imagined, before = _rolled_out(predictor, seen, actions, last), seen[:, last, None]
        else:
            imagined, before = predictor(seen[:, :-1], actions[:, :-1]), seen[:, :-1]
        came = seen[:, -imagined.shape[1]:]
        wrong = wrong + (imagined - came).square().sum()
        change = change + (before - came).square().sum()
        if known is not None:
            wrong = wrong + config.told * _told_wrong(predictor, seen, imagined, known)
    return Share(wrong, change)


def _rolled_out(
    predictor: SparsePredictor, seen: Tensor, actions: Tensor, last: int,
) -> Tensor:
    """
    Return the frames imagined after that of number `last`, [B, M, K, D].

    A predictor that is judged one step at a time lets the robot seep into walls a little, and
    through them in many.
    """
    cache = predictor.empty_cache()
    for number in range(last):
        _, cache = predictor.extend(seen[:, number], actions[:, number], cache)
    frames = [seen[:, last]]
    for number in range(last, seen.shape[1] - 1):
        imagined, cache = predictor.extend(frames[-1], actions[:, number], cache)
        frames.append(imagined)
    return torch.stack(frames[1:], 1)


def _told_wrong(
    predictor: SparsePredictor, seen: Tensor, imagined: Tensor, known: Tensor,
) -> Tensor:
    """Return how wrong real and imagined frames tell, as if each of their numbers were so."""
    assert predictor.reader is not None
    told = predictor.reader(torch.cat([seen, imagined], 1))
    wanted = torch.cat([known, known[:, -imagined.shape[1]:]], 1)
    return mistold(told, wanted, PUSHED).mean(-1).sum() * seen[0, 0].numel()
