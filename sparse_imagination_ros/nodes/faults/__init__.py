# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong around a planner and in it, caused on purpose, and who watches what comes."""
