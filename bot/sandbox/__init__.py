"""The local WeCom: a real server that speaks WeCom's API, sends real encrypted callbacks, and has a face.

It imports nothing of the product and the product imports nothing of it.
"""

from bot.sandbox.company import Company
from bot.sandbox.options import Options
from bot.sandbox.server import SandboxServer

__all__ = ["Company", "Options", "SandboxServer"]
