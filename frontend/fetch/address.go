package fetch

import (
	"errors"
	"net"
	"net/netip"
	"slices"
)

// errRefused stands for every address and port that is not asked. It never says which or why.
var errRefused = errors.New("refused address")

// notPublic4 are IPv4 networks that are no public unicast addresses, from IANA's IPv4 special-purpose registry, with
// multicast and two more that answer only to those inside.
var notPublic4 = prefixes(
	"0.0.0.0/8",        // this network
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // shared by carriers; metadata of some clouds
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // Azure's host agent, in the guise of a public address
	"169.254.0.0/16",   // link-local; metadata of most clouds
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarking
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved; broadcast
)

// global6 holds all public IPv6 unicast addresses that IANA has given out. Outside are loopback, IPv4-compatible and
// IPv4-mapped, unique-local, link-local and multicast addresses and what nobody has.
var global6 = netip.MustParsePrefix("2000::/3")

// notPublic6 are the networks within global6 that are none.
var notPublic6 = prefixes(
	"2001::/23",     // protocol assignments: Teredo, benchmarking, ORCHID
	"2001:db8::/32", // documentation
	"2002::/16",     // 6to4, which embeds IPv4 addresses
	"3fff::/20",     // documentation
)

// nat64 embeds an IPv4 address in its last 32 bits (RFC 6052). Where only IPv6 is spoken, all of IPv4 lies in it.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

func within(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// isPublic reports whether a is a public unicast address.
func isPublic(a netip.Addr) bool {
	switch {
	case !a.IsValid() || a.Zone() != "":
		return false
	case a.Is4():
		return !within(notPublic4, a)
	case nat64.Contains(a):
		b := a.As16()
		return isPublic(netip.AddrFrom4([4]byte(b[12:])))
	default:
		return global6.Contains(a) && !within(notPublic6, a)
	}
}

// publicPorts are those that public addresses are asked on.
var publicPorts = []uint16{80, 443, 8080, 8443}

// reach says which addresses may be asked.
type reach struct {
	networks []netip.Prefix             // allowed though they are not public
	own      func() ([]net.Addr, error) // addresses of this machine
}

// check returns nil when the address may be asked on the port, else errRefused.
func (r reach) check(to netip.AddrPort) error {
	switch a := to.Addr(); {
	case within(r.networks, a.Unmap()):
		return nil
	case !isPublic(a) || !slices.Contains(publicPorts, to.Port()) || r.isOwn(a):
		return errRefused
	default:
		return nil
	}
}

// isOwn reports whether a is a public address of this machine: what listens there may be shut to the outside by a
// firewall that does not see what comes from within.
func (r reach) isOwn(a netip.Addr) bool {
	addresses, err := r.own()
	if err != nil {
		return true // rather too little than too much
	}
	return slices.ContainsFunc(addresses, func(address net.Addr) bool {
		network, ok := address.(*net.IPNet)
		if !ok {
			return false
		}
		own, _ := netip.AddrFromSlice(network.IP)
		return own.Unmap() == a
	})
}
