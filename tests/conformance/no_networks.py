"""A network service that has nothing, at the port of the first argument."""

import http.server
import json
import sys


class Nothing(http.server.BaseHTTPRequestHandler):
    """Answers every list with an empty one."""

    def do_GET(self):
        """The last word of the path names the list."""
        kind = self.path.split("?")[0].rstrip("/").split("/")[-1].replace("-", "_")
        body = json.dumps({kind: []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Nothing).serve_forever()
