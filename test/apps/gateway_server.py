#!/usr/bin/env python3
"""A web application for the gateway's tests: it tells what it was sent, and answers piece by piece."""
import base64, hashlib, http.server, json, os, struct, sys, time


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        if self.headers.get('Upgrade', '').lower() == 'websocket':
            self.echo()
        elif self.path == '/events':
            self.events()
        else:
            self.answer(json.dumps([[k.lower(), v] for k, v in self.headers.items()]))

    def do_POST(self):
        left = int(self.headers['Content-Length'])
        while left:
            left -= len(self.rfile.read(min(left, 1 << 16)))
        self.answer('received')

    def answer(self, text):
        self.send_response(200)
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    # The second one comes once the client made a file of the first.
    def events(self):
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        self.send_header('Connection', 'close')
        self.end_headers()
        self.wfile.write(b'data: first\n\n')
        while not os.path.exists(sys.argv[1]):
            time.sleep(0.05)
        self.wfile.write(b'data: second\n\n')
        self.close_connection = True

    def echo(self):
        accept = hashlib.sha1((self.headers['Sec-WebSocket-Key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode())
        self.send_response(101)
        self.send_header('Upgrade', 'websocket')
        self.send_header('Connection', 'Upgrade')
        self.send_header('Sec-WebSocket-Accept', base64.b64encode(accept.digest()).decode())
        self.end_headers()
        while frame := self.rfile.read(6):
            mask, size = frame[2:], frame[1] & 127
            text = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(size)))
            self.wfile.write(struct.pack('BB', 0x81, size) + text)
        self.close_connection = True


http.server.ThreadingHTTPServer((sys.argv[2], int(os.environ['port'])), Page).serve_forever()
