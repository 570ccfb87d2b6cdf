package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// Policy says which addresses may be connected to. The zero value allows what is on the public internet.
type Policy struct {
	// AllowPrivate adds loopback, the private ranges (RFC 1918, unique local IPv6) and those of carrier-grade
	// NAT. Link-local addresses, the metadata services of clouds, multicast and reserved ranges stay refused.
	AllowPrivate bool
	// Allowed adds any address in these ranges, whatever it is.
	Allowed []netip.Prefix
}

// RefusedError says that the policy does not let an address be connected to.
type RefusedError struct {
	Addr   netip.Addr
	Reason string // what kind of address it is, such as "loopback"

	private bool // AllowPrivate would allow it
}

func (e *RefusedError) Error() string {
	if e.private {
		return fmt.Sprintf("address %s is refused: %s (start with --allow-private-destinations or --allow-destinations to allow it)", e.Addr, e.Reason)
	}
	return fmt.Sprintf("address %s is refused: %s (--allow-private-destinations does not allow it either, only --allow-destinations does)", e.Addr, e.Reason)
}

// Check returns a *RefusedError unless the policy allows the address. An IPv6 address that stands for an
// IPv4 one (mapped, translated, tunnelled) is judged by what it stands for.
func (p Policy) Check(addr netip.Addr) error {
	addr = addr.WithZone("")
	if p.allowed(addr) {
		return nil
	}
	if inner := embedded(addr); len(inner) > 0 {
		return p.checkEmbedded(addr, inner)
	}
	found, special := lookUp(addr)
	if !special || found.private && p.AllowPrivate {
		return nil
	}
	return &RefusedError{Addr: addr, Reason: found.reason, private: found.private}
}

func (p Policy) allowed(addr netip.Addr) bool {
	return slices.ContainsFunc(p.Allowed, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

func (p Policy) checkEmbedded(outer netip.Addr, inner []netip.Addr) error {
	for _, addr := range inner {
		if refused, ok := errors.AsType[*RefusedError](p.Check(addr)); ok {
			return &RefusedError{
				Addr:    outer,
				Reason:  fmt.Sprintf("stands for %s, %s", addr, refused.Reason),
				private: refused.private,
			}
		}
	}
	return nil
}

// control is called by net.Dialer for each address that a name resolved to, before the connection is made.
func (p Policy) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %s %q: not an IP address and port", network, address)
	}
	return p.Check(target.Addr())
}
