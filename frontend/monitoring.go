package frontend

import (
	"net"
	"strconv"
)

// serveMetrics opens the port of the metrics, when there are any.
func (s *Server) serveMetrics() (err error) {
	m, settings := s.options.Metrics, s.options.Settings
	if m == nil {
		return nil
	}
	m.Watch(s)
	s.metrics, err = m.Listen(net.JoinHostPort(settings.Host, strconv.Itoa(settings.PortMonitoring)), s.options.Log)
	if err == nil {
		s.options.Log.Info().Str("url", s.metrics.URL(s.shownHost())).Msg("metrics are served")
	}
	return err
}

// Connections implements metrics.Server. What is open, known and neither HTTP nor a WebSocket is gRPC.
func (s *Server) Connections() (grpc, http, websocket, undecided int) {
	for _, d := range s.doors {
		undecided += d.Undecided()
	}
	for _, r := range s.rest {
		http += r.Open()
	}
	if s.ws != nil {
		websocket = s.ws.Open()
	}
	return max(s.connections.Open()-http-websocket-undecided, 0), http, websocket, undecided // they change while they are asked
}

// RefusedConnections implements metrics.Server.
func (s *Server) RefusedConnections() uint64 { return s.connections.Refused() }

// InFlight implements metrics.Server.
func (s *Server) InFlight() (used, limit int64) { return s.options.Bytes.Used(), s.options.Bytes.Max() }
