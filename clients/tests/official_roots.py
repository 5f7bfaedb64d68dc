"""Runs a Python program whose official clients speak with kitesim where they would speak with Kite."""

import os
import runpy
import sys

from kiteconnect import KiteConnect, KiteTicker

KiteConnect._default_root_uri = os.environ["KITE_API"]
KiteTicker.ROOT_URI = os.environ["KITE_TICKER"]
runpy.run_path(sys.argv[1], run_name="__main__")
