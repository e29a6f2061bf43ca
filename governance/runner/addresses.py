"""Which addresses we send to, so that nobody makes us speak to what only we can reach.

A person names a URL and we connect to it from inside our network (server-side request forgery). So:

- The scheme is https, and the port 443 or one that is free for all (above 1023): behind the ports
  in between are services, such as mail, that might take a request for something else.
- A name is resolved once for each attempt, every address found must be public, and exactly these
  are connected to: a name that answers otherwise a moment later gains nothing. What looks like a
  number (0x7f.1, 2130706433, 0177.0.0.1) is resolved like a name, and judged by what it means.
- Of IPv6 only global unicast (2000::/3) is public, without the parts that hold IPv4 addresses or
  are no hosts: so addresses that IPv4 is mapped into, and translated from, are none of it.
- What answers with another place is not followed (`runner.receivers`).

For trying things out on one's own machine, `WEBHOOKS_TO_LOOPBACK` also allows loopback addresses,
there with plain http.
"""

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

HTTPS_PORT, HTTP_PORT, PORTS_FREE_FROM = 443, 80, 1024
WRITTEN = re.compile(r"[!-~]+")  # printable ASCII; a name of other letters has its xn-- form
GLOBAL_V6 = ipaddress.ip_network("2000::/3")
NO_HOSTS_V6 = [
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # protocol assignments; Teredo, which holds an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "3fff::/20",  # documentation
    )
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(Exception):
    """We do not send there; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A URL taken apart."""

    is_secure: bool
    host: str
    port: int
    path: str  # with the query


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where to connect: numbers, so that nobody resolves anything again."""

    family: socket.AddressFamily
    address: tuple[str, int]


def parse(url: str) -> Target:
    """Raises AddressRefused where no host could make this address good."""
    if not WRITTEN.fullmatch(url):
        raise AddressRefused("it has spaces or letters that no address has; write it in ASCII")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"it is no address ({error})") from error
    schemes = {"https": HTTPS_PORT}
    if settings.WEBHOOKS_TO_LOOPBACK:
        schemes["http"] = HTTP_PORT
    if parts.scheme not in schemes or not parts.hostname:
        raise AddressRefused("it must begin with https:// and name a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressRefused("it may hold no user, no password and no part after #")
    port = schemes[parts.scheme] if port is None else port
    if port not in schemes.values() and port < PORTS_FREE_FROM:
        raise AddressRefused(f"port {port} is refused; use 443, or one above 1023")
    query = f"?{parts.query}" if parts.query else ""
    return Target(
        is_secure=parts.scheme == "https",
        host=parts.hostname,
        port=port,
        path=f"{parts.path or '/'}{query}",
    )


def refuse_numbers(target: Target) -> None:
    """Judge a host that is a number now, without asking anybody. A name is judged when it is sent
    to: its owner may change what it means at any time, and may answer us as slowly as they like.
    """
    try:
        resolve(target, flags=socket.AI_NUMERICHOST)
    except OSError:
        if target.host == "localhost" or target.host.endswith(".localhost"):
            judge(target, ipaddress.ip_address("127.0.0.1"))


def resolve(target: Target, *, flags: int = 0) -> Sequence[Place]:
    """Every place of this host, all of which are allowed. Raises OSError where there is none."""
    try:
        found = socket.getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=flags
        )
    except UnicodeError as error:  # it cannot be written as labels of 1 to 63 letters
        raise AddressRefused("it names no host") from error
    for *_, address in found:
        judge(target, ipaddress.ip_address(address[0]))
    return [
        Place(family=family, address=(str(address[0]), target.port))
        for family, *_, address in found
    ]


def judge(target: Target, address: Address) -> None:
    """Raises AddressRefused. The text does not repeat the address: what a name of ours means is
    not for everybody to know.
    """
    if settings.WEBHOOKS_TO_LOOPBACK and address.is_loopback:
        return
    if not is_public(address):
        raise AddressRefused("its host is not in the public internet")
    if not target.is_secure:
        raise AddressRefused("plain http is for loopback addresses only; use https")


def is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    return address in GLOBAL_V6 and not any(address in network for network in NO_HOSTS_V6)
