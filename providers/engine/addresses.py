"""Which addresses a base URL may lead to, unless its owner has marked the provider as local."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")
# Carriers' addresses, which overlay networks such as Tailscale use as private ones.
_SHARED = IPv4Network("100.64.0.0/10")
# Of AWS in IPv6 and of Alibaba; the others' is link-local.
_METADATA = (IPv6Address("fd00:ec2::254"), IPv4Address("100.100.100.200"))


@lru_cache(maxsize=1024)
def may_reach(address: str, *, is_local: bool) -> bool:
    """Tell whether a provider may live at `address`: on the public internet, as a rule.

    A local one may also be on this machine or in a private network. Link-local addresses, where
    clouds keep their metadata, and other special ones are nobody's. IPv4 hidden in IPv6 is judged
    as what it is; what is no address at all is refused.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    ip = _ipv4_inside(ip) or ip
    if ip.is_link_local or ip.is_unspecified or ip.is_multicast or ip in _METADATA:
        return False
    if ip.is_global and not ip.is_reserved:
        return True
    return is_local and (ip.is_private or ip in _SHARED)


@lru_cache(maxsize=1024)
def is_literal(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_exempt(host: str, no_proxy: str) -> bool:
    """Tell whether `host` is named in a `no_proxy` list: a name, a domain's end, or `*`."""
    for entry in no_proxy.lower().split(","):
        name = entry.strip().removeprefix("*").removeprefix(".")
        if entry.strip() == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
    return False


def _ipv4_inside(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(ip, IPv4Address):
        return None
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip.teredo is not None:
        return ip.teredo[1]
    return ip.ipv4_mapped or ip.sixtofour
