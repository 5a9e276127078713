package door

import (
	"net"
	"net/netip"
	"sync"
)

// Connections counts the open connections of one or more doors, and those of each address, against limits. An IPv6
// address counts as its /64 network, for whoever has one of its addresses has all. The limits must not change while doors
// are open. Behind a proxy that hides the callers' addresses MaxPerAddress has to be 0.
type Connections struct {
	Max           int // 0: no limit
	MaxPerAddress int // 0: no limit

	mu         sync.Mutex
	open       int
	perAddress map[netip.Addr]int
	refused    uint64
}

// Open is the number of connections that are open, not counting those that are being turned away.
func (c *Connections) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// OpenFrom is the number of connections that are open from that address or its network.
func (c *Connections) OpenFrom(a netip.Addr) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.perAddress[network(a)]
}

// Refused is the number of connections that a limit has turned away.
func (c *Connections) Refused() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// A place is one counted connection.
type place struct {
	of   *Connections
	from netip.Addr
	once sync.Once
}

// take counts a connection, or tells the limit that is reached.
func (c *Connections) take(remote net.Addr) (*place, limit) {
	from := network(address(remote))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Max > 0 && c.open >= c.Max {
		c.refused++
		return nil, overMax
	}
	if c.MaxPerAddress > 0 && c.perAddress[from] >= c.MaxPerAddress {
		c.refused++
		return nil, overMaxPerAddress
	}
	if c.perAddress == nil {
		c.perAddress = map[netip.Addr]int{}
	}
	c.open++
	c.perAddress[from]++
	return &place{of: c, from: from}, within
}

// release gives the place back; only the first call counts.
func (p *place) release() {
	p.once.Do(func() {
		p.of.mu.Lock()
		defer p.of.mu.Unlock()
		p.of.open--
		if p.of.perAddress[p.from]--; p.of.perAddress[p.from] == 0 {
			delete(p.of.perAddress, p.from)
		}
	})
}

func address(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}

// network is what an address counts as.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if a.Is4() || !a.IsValid() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		panic("BUG: an IPv6 address has a /64: " + err.Error())
	}
	return p.Addr()
}
