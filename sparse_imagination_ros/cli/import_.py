# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination import`: turns a checkpoint of an official release into a bundle."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser: ArgumentParser = subparsers.add_parser(
        'import', help='turn a checkpoint of DINO-WM or Sparse Imagination into a bundle')
    parser.add_argument(
        'checkpoint', type=Path, help='such as model_latest.pth (nothing in it is run)')
    parser.add_argument('--out', type=Path, required=True, help='folder of the bundle, a new one')
    parser.add_argument(
        '--facts', type=Path, metavar='FILE',
        help='YAML file with what the checkpoint does not say; without it you are told what')
    parser.add_argument(
        '--like', metavar='NAME',
        help="take the releases' constants of one of their environments: pusht, point_maze, wall")
    parser.add_argument(
        '--encoder', help='the DINO encoder that it was trained with (default: dinov2_vits14 for '
                          'a dense predictor as of DINO-WM, else dino_vits16)')
    parser.add_argument(
        '--weights', type=Path, help="file with the encoder's weights, where neither torch.hub's "
                                     "nor timm's cache has them")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Import, and say what the planner still has to be told."""
    from sparse_imagination_ros.world_models.importing import import_checkpoint, read_facts
    facts = read_facts(args.facts, args.like)
    bundle = import_checkpoint(args.checkpoint, facts, args.encoder, args.weights, args.out)
    print(f'bundle saved to {args.out}; look at it with `sparse-imagination inspect {args.out}`.\n'
          'It looks as far ahead as the release does; to plan on all tokens, too, give the '
          f'planner the parameter tokens: {bundle.manifest.total_tokens}')
    return 0
