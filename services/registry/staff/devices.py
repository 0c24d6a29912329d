"""What kind of program a session lives in, so that its owner recognises it. Pure; nothing finer is derived or kept."""

# The first mark that is found names the program: many browsers claim to be others too.
_PROGRAMS = (
    ("MicroMessenger", "微信"),
    ("Edg", "Edge"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device_of(user_agent: str) -> str:
    """Program and system of a User-Agent header, such as "Chrome, Windows"; empty where neither is known."""
    found = [next((name for mark, name in known if mark in user_agent[:1000]), "") for known in (_PROGRAMS, _SYSTEMS)]
    return ", ".join(filter(None, found))
