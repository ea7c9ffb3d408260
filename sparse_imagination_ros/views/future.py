# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The future that a plan is imagined to lead to, painted by the decoder of the bundle."""

import numpy as np
import torch
from torch import Tensor

from sparse_imagination_ros.errors import PlanningError
from sparse_imagination_ros.imagination.reference import Context, imagine, Moment, remember
from sparse_imagination_ros.planning.plan import Array
from sparse_imagination_ros.planning.search import Question
from sparse_imagination_ros.tokens.frames import Picture
from sparse_imagination_ros.world_models.bundle import Bundle


@torch.inference_mode()
def imagined_future(bundle: Bundle, question: Question, actions: Array) -> Picture:
    """
    Return what the last imagined frame of actions [T, A] looks like, [S, S, 3].

    question: what the search started from; actions are in units of the limits, as there.
    """
    if bundle.decoder is None:
        raise PlanningError(
            f'bundle `{bundle.manifest.name}` has no decoder: no future can be shown')
    commands = question.known * question.committed + (1 - question.known) * actions
    steps = torch.from_numpy(commands.astype(np.float32)).reshape(
        1, -1, commands.shape[-1] * bundle.manifest.frameskip)
    last: list[Tensor] = []

    def keep(moment: Moment) -> Tensor:
        last[:] = [moment.tokens]
        return moment.tokens.new_zeros(1)

    memory = remember(bundle.predictor, Context(question.tokens, question.actions))
    imagine(bundle.predictor, memory, question.goal, question.subset, steps, keep)
    tokens = last[0][..., :bundle.decoder.shape.token_width]
    pixels = bundle.decoder(tokens, question.subset)[0]
    return np.asarray((255 * pixels.movedim(0, -1)).byte().numpy())
