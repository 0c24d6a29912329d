"""The region a phone number was issued in, for rounds whose rules split the counts by it (`stratum = "phone_region"`).

The tables behind it are large (some 130 MB once loaded): they are loaded, in a thread, when the first such voter
signs in, and never otherwise.
"""

from __future__ import annotations

import asyncio
import importlib
from functools import cache
from typing import Any

import phonenumbers

UNKNOWN = ""


@cache
def _geocoder() -> Any:
    return importlib.import_module("phonenumbers.geocoder")


def region_of(phone: str) -> str:
    """Chinese name of the region of an E.164 number (as in 云南省昆明市); empty where the tables do not know one."""
    number = phonenumbers.parse(phone)
    region = str(_geocoder().description_for_number(number, "zh"))
    # A country alone is what the tables say when they know nothing better.
    return UNKNOWN if region == _geocoder().country_name_for_number(number, "zh") else region


async def find_region(phone: str) -> str:
    """`region_of`, off the event loop."""
    return await asyncio.to_thread(region_of, phone)
