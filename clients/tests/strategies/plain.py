"""A program on the official client alone, for firstbell exec: today's token is in its environment when it starts."""

import json
import os
import sys
import time

from kiteconnect import KiteConnect, KiteTicker

INSTRUMENTS = [408065, 256265]


def tell(**what):
    sys.stdout.write(json.dumps({"at": time.time(), **what}) + "\n")
    sys.stdout.flush()


tell(started=True)
key, token = os.environ["KITE_API_KEY"], os.environ["KITE_ACCESS_TOKEN"]
kite = KiteConnect(key, token, root=os.environ["KITE_API"])
ticker = KiteTicker(key, token, root=os.environ["KITE_TICKER"])


def on_connect(ws, response):
    tell(connected=True)
    ws.subscribe(INSTRUMENTS)
    ws.set_mode(ws.MODE_FULL, INSTRUMENTS)
    # What happened while it was not there.
    for order in kite.orders():
        tell(order=order["order_id"], status=order["status"])


def on_ticks(ws, ticks):
    for tick in ticks:
        if tick["mode"] == "full":
            tell(tick=tick["instrument_token"], second=int(tick["exchange_timestamp"].timestamp()))


ticker.on_connect = on_connect
ticker.on_ticks = on_ticks
ticker.on_order_update = lambda ws, order: tell(order=order["order_id"], status=order["status"])
ticker.on_reconnect = lambda ws, tries: tell(knock=tries)
ticker.connect(threaded=True)
while True:
    try:
        tell(user=kite.profile()["user_id"])
    except Exception as fault:
        tell(fault=type(fault).__name__)
    time.sleep(0.1)
