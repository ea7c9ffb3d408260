# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Residual latent action: what happens in a whole chunk of actions, as a few numbers."""
