package localca

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// hostNames are hosts as a certificate lists them.
type hostNames struct {
	dns []string // lower case
	ips []net.IP
}

func parseHosts(hosts []string) (hostNames, error) {
	if len(hosts) == 0 {
		return hostNames{}, errors.New("local CA: no host to make a certificate for")
	}
	var names hostNames
	for _, host := range hosts {
		if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" {
			names.ips = append(names.ips, addr.Unmap().AsSlice())
			continue
		}
		if !isDNSName(strings.TrimPrefix(host, "*.")) {
			return hostNames{}, fmt.Errorf("local CA: host %q is not a DNS name, a wildcard name or an IP address (give it without scheme and port, and a name outside ASCII as xn--…)", host)
		}
		names.dns = append(names.dns, strings.ToLower(host))
	}
	return names, nil
}

// isDNSName tells whether it is a host name as RFC 1123 has it, the underscore of container names allowed.
func isDNSName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return !strings.ContainsRune(labelRunes, r) }) {
			return false
		}
	}
	return true
}

const labelRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
