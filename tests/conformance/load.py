"""Requests without a pause, for scripts that look at what becomes of them while something else happens."""

import http.client
import threading
import time
from typing import NamedTuple

from harness import REQUEST_S, equal, until


class Outcome(NamedTuple):
    """When a request began, the seconds that it took, and what came of it other than a 200."""

    began: float
    took: float
    failure: str | None


class Load:
    """Requests of a scene's, by its `get`, from several clients at once; it begins with some that are answered."""

    def __init__(self, scene, clients=4):
        self.scene, self.going, self.outcomes = scene, True, []
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        until("requests are under way", lambda: len(self.outcomes) > 20, 20)
        return self

    def run(self):
        while self.going:
            began = time.monotonic()
            try:
                answer = self.scene.get()
                failure = None if answer.status == 200 else f"{answer.status} {answer.text}"
            except (OSError, http.client.HTTPException) as error:
                failure = repr(error)
            self.outcomes.append(Outcome(began, time.monotonic() - began, failure))

    def more(self, count):
        """Waits for so many more."""
        now = len(self.outcomes)
        until("more requests were answered", lambda: len(self.outcomes) >= now + count, 60)

    def __exit__(self, *_):
        self.going = False
        for thread in self.threads:
            thread.join(60)

    def took(self, first=0):
        """The seconds of the requests from this one on."""
        return [outcome.took for outcome in self.outcomes[first:]]

    def failed(self, since=0.0):
        return [outcome.failure for outcome in self.outcomes if outcome.failure and outcome.began >= since]


class Callers:
    """Threads that call by a name, each request on a connection of its own, until they are told to stop; failures are kept, and the serial
    numbers of the certificates that they met."""

    def __init__(self, get, count=3):
        self.get, self.stop, self.failed, self.passed, self.serials = get, threading.Event(), [], 0, set()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(count)]

    def run(self):
        while not self.stop.is_set():
            try:
                answer = self.get()
                self.serials |= {getattr(answer, "serial", None)}
                outcome = None if answer.status == 200 else (answer.status, answer.text, answer.headers)
            except OSError as error:
                outcome = error
            if outcome is None:
                self.passed += 1
            else:
                self.failed.append(outcome)

    def __enter__(self):
        [thread.start() for thread in self.threads]
        until("requests pass", lambda: self.passed > 5, within_s=30)
        return self

    def __exit__(self, *_):
        before = self.passed
        until("requests pass to the end", lambda: self.passed > before + 5 or self.failed, within_s=30)
        self.stop.set()
        [thread.join(REQUEST_S) for thread in self.threads]
        equal(self.failed, [], "requests that failed")
