package outbound

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTheAddressesThatAPolicyAllows(t *testing.T) {
	const (
		public  = "public"  // always allowed
		private = "private" // allowed with AllowPrivate
		never   = "never"   // allowed by no setting but Allowed
	)
	cases := []struct{ addr, kind string }{
		{"8.8.8.8", public}, {"1.1.1.1", public}, {"172.15.255.255", public}, {"172.32.0.1", public},
		{"100.63.255.255", public}, {"100.128.0.0", public}, {"192.0.1.1", public}, {"223.255.255.255", public},
		{"2606:4700::1111", public}, {"2a00:1450:4001::1", public}, {"2001:4860:4860::8888", public},

		{"127.0.0.1", private}, {"127.255.255.255", private}, {"10.0.0.1", private}, {"172.16.0.1", private},
		{"172.31.255.255", private}, {"192.168.1.1", private}, {"100.64.0.1", private}, {"100.127.255.255", private},
		{"::1", private}, {"fc00::1", private}, {"fdff::1", private},

		{"169.254.169.254", never}, {"169.254.0.1", never}, {"168.63.129.16", never}, {"100.100.100.200", never},
		{"fd00:ec2::254", never}, {"fd20:ce::254", never}, {"fe80::1", never}, {"fe80::1%eth0", never}, {"fec0::1", never},
		{"0.0.0.0", never}, {"0.1.2.3", never}, {"::", never},
		{"224.0.0.1", never}, {"239.255.255.255", never}, {"ff02::1", never},
		{"192.0.0.1", never}, {"192.0.2.1", never}, {"198.51.100.1", never}, {"203.0.113.1", never}, {"192.88.99.1", never},
		{"198.18.0.1", never}, {"198.19.255.255", never}, {"240.0.0.1", never}, {"255.255.255.255", never},
		{"2001:db8::1", never}, {"3fff::1", never}, {"2001:2::1", never}, {"2001:10::1", never}, {"100::1", never},
		{"64:ff9b:1::7f00:1", never}, {"5f00::1", never}, {"4000::1", never}, {"8000::1", never}, {"1::1", never},

		{"::ffff:8.8.8.8", public}, {"::ffff:127.0.0.1", private}, {"::ffff:10.0.0.1", private},
		{"::ffff:169.254.169.254", never}, {"::ffff:0.0.0.0", never}, {"::ffff:100.64.0.1", private},
		{"::8.8.8.8", public}, {"::127.0.0.1", private}, {"::169.254.169.254", never},
		{"::ffff:0:8.8.8.8", public}, {"::ffff:0:10.0.0.1", private}, {"::ffff:0:169.254.169.254", never},
		{"64:ff9b::8.8.8.8", public}, {"64:ff9b::127.0.0.1", private}, {"64:ff9b::169.254.169.254", never},
		{"2002:808:808::1", public}, {"2002:7f00:1::", private}, {"2002:a9fe:a9fe::1", never},
		// Teredo: the server, then the client's address with its bits turned round.
		{"2001:0:808:808:0:0:f7f7:f7f7", public}, {"2001:0:808:808:0:0:80ff:fffe", private},
		{"2001:0:808:808:0:0:5601:5601", never}, {"2001:0:a00:1:0:0:f7f7:f7f7", private},
	}
	for _, c := range cases {
		t.Run(c.addr, func(t *testing.T) {
			addr := netip.MustParseAddr(c.addr)
			expect(t, Policy{}, addr, c.kind == public)
			expect(t, Policy{AllowPrivate: true}, addr, c.kind != never)
			if plain := addr.WithZone(""); !plain.Is4In6() { // a mapped address is allowed as the IPv4 address
				expect(t, Policy{Allowed: []netip.Prefix{netip.PrefixFrom(plain, plain.BitLen())}}, addr, true)
			}
		})
	}
}

func expect(t *testing.T, p Policy, addr netip.Addr, allowed bool) {
	t.Helper()
	err := p.Check(addr)
	if (err == nil) != allowed {
		t.Errorf("with %+v: %v, want allowed=%v", p, err, allowed)
	}
	if err == nil {
		return
	}
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok || refused.Addr != addr.WithZone("") || refused.Reason == "" {
		t.Errorf("with %+v: error %#v does not say what was refused and why", p, err)
	}
	if !strings.Contains(err.Error(), "--allow-private-destinations") {
		t.Errorf("error %q does not name the remedy", err)
	}
}

func TestAnAllowedRangeCoversTheMappedFormOfItsAddresses(t *testing.T) {
	policy := Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	expect(t, policy, netip.MustParseAddr("::ffff:10.1.2.3"), true)
	expect(t, policy, netip.MustParseAddr("::ffff:10.2.2.3"), false)
}

func TestWhatIsNoAddressIsRefused(t *testing.T) {
	if err := (Policy{AllowPrivate: true}).Check(netip.Addr{}); err == nil {
		t.Error("the zero address was allowed")
	}
}

func TestNoWayToWriteAPrivateIPv4AddressAsIPv6PassesTheGuard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inner := netip.AddrFrom4([4]byte{10, rapid.Byte().Draw(t, "b"), rapid.Byte().Draw(t, "c"), rapid.Byte().Draw(t, "d")})
		b := inner.As4()
		forms := map[string][16]byte{
			"mapped":     {10: 0xff, 11: 0xff, 12: b[0], 13: b[1], 14: b[2], 15: b[3]},
			"compatible": {12: b[0], 13: b[1], 14: b[2], 15: b[3]},
			"translated": {8: 0xff, 9: 0xff, 12: b[0], 13: b[1], 14: b[2], 15: b[3]},
			"NAT64":      {0: 0x00, 1: 0x64, 2: 0xff, 3: 0x9b, 12: b[0], 13: b[1], 14: b[2], 15: b[3]},
			"6to4":       {0: 0x20, 1: 0x02, 2: b[0], 3: b[1], 4: b[2], 5: b[3], 15: rapid.Byte().Draw(t, "host")},
			"Teredo":     {0: 0x20, 1: 0x01, 4: 8, 5: 8, 6: 8, 7: 8, 12: ^b[0], 13: ^b[1], 14: ^b[2], 15: ^b[3]},
		}
		for name, form := range forms {
			if addr := netip.AddrFrom16(form); (Policy{}).Check(addr) == nil {
				t.Errorf("%s: %s passes as a way to %s", name, addr, inner)
			}
		}
	})
}
