"""Who counts as one client. Pure."""

import ipaddress


def network_of(address: str) -> str:
    """The address itself, but an IPv6 client owns a whole /64 (RFC 6177) and counts as that."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False))
