# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium for tests, by the protocol of its developer tools over two pipes."""

from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import shutil
import subprocess
import time
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, (
    'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'))), None)
PATIENCE_S = 120.0


class Tab:
    """One page; `problems` collects what its console says is wrong and what it asks a network."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._number, self._rest = 0, b''
        self._session = ''
        self.problems: list[str] = []
        target = self._ask('Target.createTarget', url='about:blank')['targetId']
        self._session = self._ask(
            'Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self._ask(f'{domain}.enable')

    def load(self, path: Path, width: int = 1280, height: int = 900) -> float:
        """Open a file; return how long it took until its script was through, seconds."""
        self.resize(width, height)
        began_s = time.monotonic()
        self._ask('Page.navigate', url=path.as_uri())
        while not self.run('document.documentElement?.dataset.ready === "yes"'):
            assert time.monotonic() - began_s < PATIENCE_S, self.problems
            time.sleep(0.02)
        return time.monotonic() - began_s

    def resize(self, width: int, height: int = 900, dark: bool = False) -> None:
        self._ask('Emulation.setDeviceMetricsOverride', width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self._ask('Emulation.setEmulatedMedia', features=[
            {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])

    def run(self, script: str) -> Any:
        """Return the value of an expression."""
        answer = self._ask('Runtime.evaluate', expression=script, returnByValue=True,
                           awaitPromise=True)
        assert 'exceptionDetails' not in answer, answer['exceptionDetails']
        return answer['result'].get('value')

    def drag(self, x: float, y: float) -> None:
        """Press the pointer at a place and let it go."""
        for kind in ('mousePressed', 'mouseReleased'):
            self._ask('Input.dispatchMouseEvent', type=kind, x=x, y=y, button='left',
                      buttons=1, clickCount=1)

    def move(self, x: float, y: float) -> None:
        self._ask('Input.dispatchMouseEvent', type='mouseMoved', x=x, y=y)

    def picture(self, path: Path, whole: bool = True) -> None:
        data = self._ask('Page.captureScreenshot', captureBeyondViewport=whole)['data']
        path.write_bytes(b64decode(data))

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        request: dict[str, Any] = {'id': number, 'method': method, 'params': params}
        if self._session:
            request['sessionId'] = self._session
        os.write(self._to, json.dumps(request).encode() + b'\0')
        while True:
            message = self._next()
            if message.get('id') == number:
                assert 'error' not in message, message
                return dict(message['result'])
            self._note(message)

    def _next(self) -> dict[str, Any]:
        while b'\0' not in self._rest:
            data = os.read(self._back, 1 << 16)
            assert data, 'the browser ended'
            self._rest += data
        text, _, self._rest = self._rest.partition(b'\0')
        return dict(json.loads(text))

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get('params', {})
        if message['method'] == 'Runtime.exceptionThrown':
            self.problems.append(str(params['exceptionDetails']))
        elif message['method'] == 'Runtime.consoleAPICalled' and params['type'] in (
                'error', 'warning'):
            self.problems.append(str(params['args']))
        elif message['method'] == 'Log.entryAdded':
            self.problems.append(str(params['entry']))
        elif message['method'] == 'Network.requestWillBeSent':
            url = params['request']['url']
            if not url.startswith(('data:', 'file:')):
                self.problems.append(f'asks for {url}')


@contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """Start a browser that ends with the block."""
    assert CHROMIUM is not None
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()

    def place() -> None:
        # Where the browser looks for its pipes; a pipe may lie in the other's place.
        spare_in, spare_out = os.dup(theirs_in), os.dup(theirs_out)
        os.dup2(spare_in, 3)
        os.dup2(spare_out, 4)

    process = subprocess.Popen(
        [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars',
         '--disable-dev-shm-usage', '--remote-debugging-pipe', f'--user-data-dir={folder}'],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        close_fds=False, preexec_fn=place)
    for end in (theirs_in, theirs_out):
        os.close(end)
    try:
        yield Tab(ours_out, ours_in)
    finally:
        process.kill()
        process.wait()
        for end in (ours_in, ours_out):
            os.close(end)
