"""An authenticator app: RFC 6238 by this language's own hmac, with SHA-1, six digits and 30 s."""

import base64
import hashlib
import hmac
import struct
import time

PERIOD = 30

# How long a request may take until it is judged, in seconds: all that time a code is in the window.
LEEWAY = 8


def hotp(key, step):
    """RFC 4226 section 5.3."""
    digest = hmac.digest(key, struct.pack(">Q", step), hashlib.sha1)
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def now():
    """The step that the clock is in."""
    return int(time.time()) // PERIOD


class Phone:
    """One secret, and the last step whose code was typed anywhere."""

    def __init__(self, secret):
        self.secret = secret
        self.key = base64.b32decode(secret + "=" * (-len(secret) % 8))
        self.spent = 0

    def at(self, step):
        """The code of a step, whatever has been typed."""
        return hotp(self.key, step)

    def code(self):
        """The next code that the window of one step either way accepts; waits where there is none yet."""
        first = int(time.time() + LEEWAY) // PERIOD - 1
        self.spent = max(self.spent + 1, first)
        while self.spent > now() + 1:
            time.sleep(0.2)
        return self.at(self.spent)

    def last(self):
        """The code that was typed last, typed again."""
        return self.at(self.spent)

    def wrong(self, nth=0):
        """Six digits that no step near now has; another such code for each number."""
        near = {self.at(now() + offset) for offset in range(-4, 6)}
        candidates = (f"{(111_111 + 7 * n) % 1_000_000:06}" for n in range(nth, 1_000_000))
        return next(code for code in candidates if code not in near)
