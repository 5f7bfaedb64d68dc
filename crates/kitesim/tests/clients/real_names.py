"""The official Python client as it comes, with no address changed: only names lead elsewhere, as a hosts-file line does.

The errand comes as one line of JSON on stdin; requests takes the authority to trust from REQUESTS_CA_BUNDLE.
"""

import json
import socket
import sys

from kiteconnect import KiteConnect
from kiteconnect.exceptions import TokenException

errand = json.loads(sys.stdin.readline())
usual = socket.getaddrinfo
asked = set()


def getaddrinfo(host, port, *more, **named):
    asked.add(host)
    return usual("127.0.0.1", errand["port"], *more, **named)


socket.getaddrinfo = getaddrinfo
kite = KiteConnect(api_key=errand["api_key"], pool={"pool_connections": 10, "pool_maxsize": 10})
session = kite.generate_session(errand["request_token"], api_secret=errand["api_secret"])
user = kite.profile()["user_id"]
kite.set_access_token("invalid_token")
try:
    kite.profile()
    refused = None
except TokenException as error:
    refused = error.code
print(json.dumps({"user": user, "same": session["user_id"] == user, "refused": refused, "asked": sorted(asked)}))
