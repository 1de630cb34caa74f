from __future__ import annotations

import pytest

from providers.engine.addresses import is_exempt, may_reach

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"]
PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fd00::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
]
NOBODYS = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "not an address",
    "",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_for_all(address: str) -> None:
    assert may_reach(address, is_local=False)
    assert may_reach(address, is_local=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_for_local_providers(address: str) -> None:
    assert not may_reach(address, is_local=False)
    assert may_reach(address, is_local=True)


@pytest.mark.parametrize("address", NOBODYS)
def test_metadata_and_other_special_addresses_are_for_nobody(address: str) -> None:
    assert not may_reach(address, is_local=False)
    assert not may_reach(address, is_local=True)


@pytest.mark.parametrize(
    ("host", "no_proxy", "exempt"),
    [
        ("api.example.com", "example.com", True),
        ("api.example.com", ".example.com", True),
        ("api.example.com", " *.EXAMPLE.com ", True),
        ("badexample.com", "example.com", False),
        ("example.com", "*", True),
        ("example.com", "", False),
        ("example.com", ",", False),
        ("10.0.0.1", "10.0.0.1,other", True),
    ],
)
def test_no_proxy_names_hosts_and_ends_of_domains(host: str, no_proxy: str, exempt: bool) -> None:
    assert is_exempt(host, no_proxy) is exempt
