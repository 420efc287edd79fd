"""A reverse proxy that serves the page below a path, as a host with several services does."""

import http.client
import http.server
import threading


class PathProxy:
    """Hands what is asked below `path` to 127.0.0.1:`port` without it; "/" is a page with a link to `link`."""

    def __init__(self, port, path):
        self.link = ""
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path.startswith(path):
                    self._hand_on()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(f'<!doctype html><title>links</title><a href="{proxy.link}">the page</a>'.encode())

            def _hand_on(self):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                try:
                    connection.request("GET", "/" + self.path[len(path):], headers=dict(self.headers))
                    answer = connection.getresponse()
                    self.send_response(answer.status)
                    for name, value in answer.getheaders():
                        self.send_header(name, value)
                    self.end_headers()
                    while part := answer.read1():
                        self.wfile.write(part)
                except (ConnectionError, http.client.IncompleteRead):
                    self.close_connection = True  # either side has gone, as at the end of a test
                finally:
                    connection.close()

            def log_message(self, *_arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
