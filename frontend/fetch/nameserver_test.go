package fetch

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers name lookups from a script, over pipes: the resolver and its wire format are the real ones.
type nameServer struct {
	mu    sync.Mutex
	names map[string][][]string // addresses of each lookup of a name, one after another; the last ones stay
	asked map[string]int        // lookups of IPv4 addresses
	open  sync.WaitGroup
}

func newNameServer(t *testing.T, names map[string][][]string) *nameServer {
	s := &nameServer{names: names, asked: map[string]int{}}
	t.Cleanup(s.open.Wait)
	return s
}

func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		s.open.Go(func() {
			defer there.Close()
			for s.answer(there) == nil {
			}
		})
		return here, nil
	}}
}

func (s *nameServer) lookups(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

// next returns the addresses of a kind for a name. Both kinds are asked for in each lookup, in any order.
func (s *nameServer) next(name string, kind dnsmessage.Type) (list []netip.Addr, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	script, found := s.names[name]
	if !found {
		return nil, false
	}
	turn := 0
	if kind == dnsmessage.TypeA {
		turn = min(s.asked[name], len(script)-1)
		s.asked[name]++
	}
	for _, text := range script[turn] {
		if a := netip.MustParseAddr(text); a.Is4() == (kind == dnsmessage.TypeA) {
			list = append(list, a)
		}
	}
	return list, true
}

// answer reads a question in the form of DNS over TCP and answers it.
func (s *nameServer) answer(conn net.Conn) error {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	question := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, question); err != nil {
		return err
	}
	var message dnsmessage.Message
	if err := message.Unpack(question); err != nil {
		return err
	}
	q := message.Questions[0]
	list, found := s.next(strings.TrimSuffix(strings.ToLower(q.Name.String()), "."), q.Type)
	reply := dnsmessage.Message{Questions: message.Questions[:1]}
	reply.ID, reply.Response, reply.RecursionAvailable = message.ID, true, true
	if !found {
		reply.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range list {
		r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}}
		if a.Is4() {
			r.Body = &dnsmessage.AResource{A: a.As4()}
		} else {
			r.Body = &dnsmessage.AAAAResource{AAAA: a.As16()}
		}
		reply.Answers = append(reply.Answers, r)
	}
	packed, err := reply.AppendPack([]byte{0, 0})
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint16(packed, uint16(len(packed)-2))
	_, err = conn.Write(packed)
	return err
}
