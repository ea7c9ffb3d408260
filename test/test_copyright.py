# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every Python file says whose it is and under which licence."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ('sparse_imagination_ros', 'launch', 'test')
HEADER = (
    '# Copyright 2026 The sparse_imagination_ros authors\n'
    '# SPDX-License-Identifier: Apache-2.0\n'
)


def test_every_python_file_opens_with_the_copyright_header() -> None:
    files = [ROOT / 'setup.py', *(p for f in FOLDERS for p in (ROOT / f).rglob('*.py'))]
    bare = [
        str(path.relative_to(ROOT))
        for path in files
        if not path.read_text(encoding='utf-8').startswith(HEADER)
    ]
    assert not bare, f'without the two header lines: {", ".join(bare)}'


def test_the_license_file_is_the_apache_license() -> None:
    text = (ROOT / 'LICENSE').read_text(encoding='utf-8')
    assert 'Apache License' in text
    assert 'Version 2.0, January 2004' in text
