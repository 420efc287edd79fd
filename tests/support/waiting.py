"""The only way in which tests wait."""

import time


def wait_until(condition, timeout, what, interval=0.05):
    """Polls `condition()` until it is truthy and returns its value.

    `timeout` is in seconds; `what` completes the sentence "waited N s for ...". An exception from the condition counts
    as "not yet" and is named when the time is up, except AssertionError and KeyboardInterrupt, which pass at once:
    a condition raises AssertionError when waiting any longer is pointless.
    """
    deadline = time.monotonic() + timeout
    while True:
        last_error = None
        value = None
        try:
            value = condition()
        except AssertionError:
            raise
        except Exception as error:  # a server that is still starting answers with all kinds of errors
            last_error = error
        if value:
            return value
        if time.monotonic() >= deadline:
            detail = f"; last error: {last_error!r}" if last_error else f"; last value: {value!r}"
            raise TimeoutError(f"waited {timeout} s for {what}{detail}")
        time.sleep(interval)
