package upload

import (
	"encoding/binary"
	"strings"
)

// preface is what clients begin with.
var preface = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// frame writes a frame of HTTP/2.
func frame(kind, flags byte, stream uint32, payload string) string {
	n := len(payload)
	b := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	return string(binary.BigEndian.AppendUint32(b, stream)) + payload
}

func headers(stream uint32) string            { return frame(frameHeaders, 4, stream, "block") }
func data(stream uint32, bytes string) string { return frame(frameData, 0, stream, bytes) }

// message begins a message of that length, of which that much is sent.
func message(length, sent int) string {
	b := binary.BigEndian.AppendUint32([]byte{0}, uint32(length))
	return string(b) + strings.Repeat("m", sent)
}

// reference parses all that was received and sent at once, and tells the memory of the unfinished message of each stream
// on which the client may send.
func reference(received, sent string) map[uint32]int64 {
	type part struct {
		data string
		cost int64
	}
	open := map[uint32][]part{}
	highest := uint32(0)
	if len(received) < prefaceSize {
		received = ""
	} else {
		received = received[prefaceSize:]
	}
	for len(received) >= headerSize {
		length := int(received[0])<<16 | int(received[1])<<8 | int(received[2])
		kind, flags := received[3], received[4]
		stream := binary.BigEndian.Uint32([]byte(received[5:9])) & 0x7fffffff
		received = received[headerSize:]
		payload := received[:min(length, len(received))]
		received = received[len(payload):]
		parts, known := open[stream]
		switch kind {
		case frameHeaders:
			if stream%2 == 1 && stream > highest {
				highest = stream
				if flags&1 == 0 {
					open[stream] = nil
				}
			} else if flags&1 != 0 {
				delete(open, stream)
			}
		case frameReset:
			delete(open, stream)
		case frameData:
			bytes, end := payload, length
			if flags&8 != 0 && len(payload) > 0 {
				end = length - int(payload[0])
				if end < 1 {
					bytes = ""
				} else {
					bytes = payload[1:max(1, min(end, len(payload)))]
				}
			}
			if known && bytes != "" {
				open[stream] = append(parts, part{bytes, memory(length)})
			}
			if flags&1 != 0 && len(payload) == length {
				delete(open, stream)
			}
		}
	}
	for len(sent) >= headerSize {
		length := int(sent[0])<<16 | int(sent[1])<<8 | int(sent[2])
		if kind := sent[3]; kind == frameReset || (kind == frameData || kind == frameHeaders) && sent[4]&1 != 0 {
			delete(open, binary.BigEndian.Uint32([]byte(sent[5:9]))&0x7fffffff)
		}
		sent = sent[min(len(sent), headerSize+length):]
	}
	held := map[uint32]int64{}
	for stream, parts := range open {
		all := ""
		for _, p := range parts {
			all += p.data
		}
		whole := 0 // bytes of whole messages
		for len(all)-whole >= prefixSize {
			end := whole + prefixSize + int(binary.BigEndian.Uint32([]byte(all[whole+1:whole+5])))
			if end > len(all) {
				break
			}
			whole = end
		}
		held[stream] = 0
		for at, i := 0, 0; i < len(parts); i++ {
			if at += len(parts[i].data); at > whole {
				held[stream] += parts[i].cost
			}
		}
	}
	return held
}
