"""A strategy on the package firstbell: it never hears of a token. Tells in lines of JSON what it sees."""

import json
import os
import sys
import time

import kiteconnect  # noqa: F401

import firstbell

INSTRUMENTS = [408065, 256265]


def tell(**what):
    sys.stdout.write(json.dumps({"at": time.time(), **what}) + "\n")
    sys.stdout.flush()


tell(waits=True)
kite = firstbell.kite(root=os.environ["KITE_API"], wait_s=60)
ticker = firstbell.ticker(root=os.environ["KITE_TICKER"], wait_s=60)


def on_connect(ws, response):
    ws.subscribe(INSTRUMENTS)
    ws.set_mode(ws.MODE_FULL, INSTRUMENTS)


def on_ticks(ws, ticks):
    for tick in ticks:
        if tick["mode"] == "full":
            tell(tick=tick["instrument_token"], second=int(tick["exchange_timestamp"].timestamp()))


ticker.on_connect = on_connect
ticker.on_ticks = on_ticks
ticker.on_order_update = lambda ws, order: tell(order=order["order_id"], status=order["status"])
ticker.on_error = lambda ws, code, reason: tell(refused="403" in reason)
ticker.connect(threaded=True)
while True:
    try:
        tell(user=kite.profile()["user_id"])
    except Exception as fault:
        tell(fault=type(fault).__name__)
    time.sleep(0.1)
