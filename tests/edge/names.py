"""The name server of a test: it plays the one that Docker gives to containers."""
import collections
import socket
import struct
import threading


class Names:
    """Answers A queries with the addresses of the stages that run, like Docker's name server."""

    def __init__(self):
        self.addresses = collections.defaultdict(list)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            at, labels = 12, []
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            kind = struct.unpack(">H", query[at + 1:at + 3])[0]
            found = list(self.addresses[".".join(labels)]) if kind == 1 else []
            records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(a) for a in found)
            flags = 0x8180 if self.addresses[".".join(labels)] else 0x8183
            self.socket.sendto(query[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0) + query[12:at + 5] + records, peer)
