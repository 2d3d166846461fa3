"""A server that says what no PostgreSQL says."""
import socket
import threading
import time

PAUSE = 0.02  # pieces that come as one are looked at all the same, only otherwise


class Relay:
    """Between proxy and PostgreSQL: passes all, but for what PostgreSQL says once it is told to lie: lie(data) gives other bytes, or a list of
    pieces that come one by one."""

    def __init__(self, port):
        self.port, self.lie, self.open = port, None, set()
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.address = self.listener.getsockname()[1]
        self.ended = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.ended:
            try:
                a, _ = self.listener.accept()
                b = socket.create_connection(('127.0.0.1', self.port), 10)
            except OSError:
                continue
            self.open |= {a, b}
            threading.Thread(target=self.pump, args=(a, b, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(b, a, True), daemon=True).start()

    def pump(self, source, target, is_server):
        try:
            while data := source.recv(1 << 16):
                lie = self.lie
                if is_server and lie is not None:
                    data = lie(data)
                for piece in data if isinstance(data, list) else [data]:
                    target.sendall(piece)
                    if piece is not data:
                        time.sleep(PAUSE)
        except OSError:
            pass
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.open.discard(s)
            s.close()

    def close(self):
        self.ended = True
        self.listener.close()
        for s in list(self.open):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
