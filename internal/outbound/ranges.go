package outbound

import (
	"encoding/binary"
	"net/netip"
)

// specialRange is a range of addresses that are not on the public internet.
type specialRange struct {
	prefix  netip.Prefix
	reason  string
	private bool // somebody's own network, which a user may want to reach
}

// specialRanges are the ranges that need a reason to be connected to; of those that hold an address, the
// first counts.
//
// Sources: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates), and
// the documentation of the clouds for their metadata services, which hand credentials to whoever asks.
var specialRanges = []specialRange{
	never("169.254.0.0/16", "link-local, where clouds keep their metadata services"),
	never("168.63.129.16/32", "a cloud's metadata service"),   // Azure
	never("100.100.100.200/32", "a cloud's metadata service"), // Alibaba Cloud
	never("fd00:ec2::/32", "a cloud's metadata service"),      // AWS
	never("fd20:ce::254/128", "a cloud's metadata service"),   // Google Cloud

	private("127.0.0.0/8", "loopback"),
	private("10.0.0.0/8", "private (RFC 1918)"),
	private("172.16.0.0/12", "private (RFC 1918)"),
	private("192.168.0.0/16", "private (RFC 1918)"),
	private("100.64.0.0/10", "carrier-grade NAT (RFC 6598)"),
	never("0.0.0.0/8", "unspecified"),
	never("192.0.0.0/24", "reserved for protocols (RFC 6890)"),
	never("192.0.2.0/24", "documentation (RFC 5737)"),
	never("198.51.100.0/24", "documentation (RFC 5737)"),
	never("203.0.113.0/24", "documentation (RFC 5737)"),
	never("192.88.99.0/24", "a 6to4 relay (RFC 7526)"),
	never("198.18.0.0/15", "benchmarking (RFC 2544)"),
	never("224.0.0.0/4", "multicast"),
	never("255.255.255.255/32", "broadcast"),
	never("240.0.0.0/4", "reserved (RFC 1112)"),

	private("::1/128", "loopback"),
	private("fc00::/7", "private (RFC 4193)"),
	never("::/128", "unspecified"),
	never("64:ff9b:1::/48", "local translation to IPv4 (RFC 8215)"),
	never("100::/16", "discarded (RFC 6666)"),
	never("2001::/23", "reserved for protocols (RFC 2928)"),
	never("2001:db8::/32", "documentation (RFC 3849)"),
	never("3fff::/20", "documentation (RFC 9637)"),
	never("fe80::/10", "link-local"),
	never("fec0::/10", "site-local (RFC 3879)"),
	never("ff00::/8", "multicast"),
	// Only 2000::/3 is given out for global unicast (RFC 4291).
	never("::/3", "reserved (RFC 4291)"),
	never("4000::/2", "reserved (RFC 4291)"),
	never("8000::/1", "reserved (RFC 4291)"),
}

func private(prefix, reason string) specialRange {
	return specialRange{netip.MustParsePrefix(prefix), reason, true}
}

func never(prefix, reason string) specialRange {
	return specialRange{netip.MustParsePrefix(prefix), reason, false}
}

// lookUp finds the range that an address is in, and false for one on the public internet.
func lookUp(addr netip.Addr) (specialRange, bool) {
	if !addr.IsValid() {
		return specialRange{reason: "not an address"}, true
	}
	for _, r := range specialRanges {
		if r.prefix.Contains(addr) {
			return r, true
		}
	}
	return specialRange{}, false
}

// The ranges of IPv6 whose addresses carry an IPv4 address, to which a router or this host may pass the
// connection on.
var (
	compatible = netip.MustParsePrefix("::/96")           // RFC 4291, but for :: and ::1
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // RFC 2765
	nat64      = netip.MustParsePrefix("64:ff9b::/96")    // RFC 6052
	sixToFour  = netip.MustParsePrefix("2002::/16")       // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")       // RFC 4380
)

// embedded gives the IPv4 addresses that an IPv6 address stands for, and none for every other address.
func embedded(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	b := addr.As16()
	switch {
	case addr.Is4In6():
		return []netip.Addr{addr.Unmap()}
	case compatible.Contains(addr) && binary.BigEndian.Uint32(b[12:]) > 1,
		translated.Contains(addr), nat64.Contains(addr):
		return []netip.Addr{ipv4(b[12:])}
	case sixToFour.Contains(addr):
		return []netip.Addr{ipv4(b[2:6])}
	case teredo.Contains(addr):
		server, client := ipv4(b[4:8]), ipv4([]byte{^b[12], ^b[13], ^b[14], ^b[15]})
		return []netip.Addr{server, client}
	}
	return nil
}

func ipv4(b []byte) netip.Addr {
	return netip.AddrFrom4([4]byte(b))
}
