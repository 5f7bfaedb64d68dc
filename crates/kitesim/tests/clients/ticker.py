"""The official Python ticker: tells in lines of JSON what it receives; the errand comes as one line of JSON on stdin."""

import json
import os
import sys

from kiteconnect import KiteTicker

errand = json.loads(sys.stdin.readline())
ticker = KiteTicker(
    errand["api_key"], errand["access_token"], root=errand["root"],
    reconnect=errand["reconnect"], reconnect_max_tries=5, reconnect_max_delay=5,
)
state = {"connections": 0, "told": 0}


def tell(what):
    print(json.dumps(what, default=str), flush=True)


def on_connect(ws, response):
    state["connections"] += 1
    ws.subscribe(errand["tokens"])
    ws.set_mode(ws.MODE_FULL, errand["tokens"])


def on_ticks(ws, ticks):
    # A tick may fall between the two messages; only those of the mode that was asked for last count.
    if state["told"] < state["connections"] and all(tick["mode"] == "full" for tick in ticks):
        state["told"] += 1
        tell({"ticks": ticks, "connection": state["connections"]})


def on_error(ws, code, reason):
    if state["connections"] == 0:
        tell({"error": str(reason)})
        os._exit(0)


def on_close(ws, code, reason):
    if not errand["reconnect"]:
        tell({"closed": True})
        os._exit(0)


ticker.on_connect = on_connect
ticker.on_ticks = on_ticks
ticker.on_error = on_error
ticker.on_close = on_close
ticker.on_order_update = lambda ws, order: tell({"order": order["status"]})
ticker.connect()
