"""The usual way that firstbell takes the place of: a script writes the token into a database, and each program asks for it there."""

import json
import multiprocessing
import sqlite3
import sys
import time


def reads(path, seconds, results):
    """What such programs do: open, ask, close."""
    micros = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        connection = sqlite3.connect(path)
        (token,) = connection.execute("SELECT access_token FROM tokens WHERE account = 'main'").fetchone()
        connection.close()
        assert len(token) == 32
        micros.append((time.perf_counter() - began) * 1e6)
    results.put(micros)


def stretch(path, clients, seconds):
    results = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=reads, args=(path, seconds, results)) for _ in range(clients)]
    for process in processes:
        process.start()
    micros = sorted(m for _ in processes for m in results.get())
    for process in processes:
        process.join()
    return {"reads": len(micros), "a_second": round(len(micros) / seconds),
            "p50_us": round(micros[len(micros) // 2], 1), "p99_us": round(micros[int(len(micros) * 0.99)], 1)}


path, seconds = sys.argv[1], float(sys.argv[2])
print(json.dumps({str(clients): stretch(path, clients, seconds) for clients in (1, 32)}))
