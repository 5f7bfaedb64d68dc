"""Calls profile() with the official client: api key and token come as one line of JSON, the root as an argument."""

import json
import sys

from kiteconnect import KiteConnect
from kiteconnect.exceptions import TokenException

card = json.loads(sys.stdin.readline())
kite = KiteConnect(api_key=card["api_key"], root=sys.argv[1])
kite.set_access_token(card["access_token"])
try:
    print(json.dumps({"user_id": kite.profile()["user_id"]}))
except TokenException as e:
    print(json.dumps({"token_exception": str(e), "code": e.code}))
