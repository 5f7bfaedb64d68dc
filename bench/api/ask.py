"""How long the read of a token takes over the socket of a running firstbell, beside a GET of Redis over a socket of its own.

    python3 bench/api/ask.py ~/.local/state/firstbell/socket main [redis.sock]

Redis, with nothing written to a disk: redis-server --port 0 --unixsocket /tmp/redis.sock --save ''
"""

import socket
import sys
import time

TIMES = 20_000


def measure(name, path, request):
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(path)
        took_ns = []
        for _ in range(TIMES):
            began_ns = time.perf_counter_ns()
            stream.sendall(request)
            answer = stream.recv(4096)
            took_ns.append(time.perf_counter_ns() - began_ns)
        assert b"x" * 8 in answer or b" 200 OK" in answer, answer
    took_ns.sort()
    half, most = took_ns[TIMES // 2], took_ns[TIMES * 99 // 100]
    print(f"{name}: p50 {half / 1e3:.1f} us, p99 {most / 1e3:.1f} us")


def main():
    path, account = sys.argv[1:3]
    head = f"GET /v1/accounts/{account}/token HTTP/1.1\r\nHost: firstbell\r\n\r\n"
    measure("firstbell, a token", path, head.encode())
    if len(sys.argv) > 3:
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(sys.argv[3])
            card = b"x" * 260
            stream.sendall(b"*3\r\n$3\r\nSET\r\n$4\r\ncard\r\n$260\r\n" + card + b"\r\n")
            stream.recv(64)
        measure("Redis, GET", sys.argv[3], b"*2\r\n$3\r\nGET\r\n$4\r\ncard\r\n")


main()
