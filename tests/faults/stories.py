"""Several stories side by side, told by one thread: only the main thread may start processes."""

import time


def run_together(stories, timeout=120):
    """Runs generators to their ends. Each yields what it waits for next: a time in seconds, or a condition, which must
    come true within `timeout` seconds. The first exception ends them all."""
    waiting = {story: _over(0) for story in stories}
    until = {}
    while waiting:
        for story, is_over in list(waiting.items()):
            if not is_over():
                assert time.monotonic() < until[story], f"waited {timeout} s for {is_over} in {story}"
                continue
            wanted = next(story, None)
            if wanted is None:
                del waiting[story]
                continue
            waiting[story] = wanted if callable(wanted) else _over(wanted)
            until[story] = time.monotonic() + (timeout if callable(wanted) else wanted + timeout)
        time.sleep(0.005)


def _over(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end
