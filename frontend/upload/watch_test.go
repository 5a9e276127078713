package upload

import (
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"clipd/frontend/limit"
)

// follow has a Watch see the bytes in pieces cut at random, and compares what it knows with the reference.
func follow(t *testing.T, received, sent string, random *rand.Rand) {
	t.Helper()
	bytes := limit.NewBytes(1 << 62)
	w := NewBudget(Options{Bytes: bytes}).Watch(nil, func([]byte) {})
	feed := func(text string, see func([]byte)) {
		for rest := []byte(text); len(rest) > 0; {
			n := 1 + random.IntN(len(rest))
			if random.IntN(2) == 0 {
				n = 1 + random.IntN(min(len(rest), 12))
			}
			see(append([]byte(nil), rest[:n]...))
			rest = rest[n:]
		}
	}
	feed(received, func(p []byte) {
		if err := w.Received(p); err != nil {
			t.Fatal(err)
		}
	})
	feed(sent, w.Sent)
	got, total := map[uint32]int64{}, int64(0)
	for id, s := range w.streams {
		got[id] = s.held
		total += s.held
	}
	if want := reference(received, sent); !maps.Equal(got, want) {
		t.Fatalf("%d bytes received, %d sent: streams hold %v, want %v", len(received), len(sent), got, want)
	}
	if w.held != total || bytes.Used() != total {
		t.Fatalf("the connection holds %d, the budget gave %d, the streams hold %d", w.held, bytes.Used(), total)
	}
	w.Close()
	if bytes.Used() != 0 {
		t.Fatalf("%d bytes are left after closing", bytes.Used())
	}
}

func FuzzWatch(f *testing.F) {
	start := string(preface)
	f.Add([]byte(start+headers(1)+data(1, message(10, 3))), []byte{}, uint64(1))
	f.Add([]byte(start+headers(1)+data(1, message(10, 10)+message(0, 0)+"\x00\x00")+data(1, "\x00\x00\x09abc")), []byte{}, uint64(2))
	f.Add([]byte(start+headers(1)+frame(frameData, flagPadded, 1, "\x04"+message(9, 3)+"pppp")+headers(3)+data(3, "\x01")), []byte{}, uint64(3))
	f.Add([]byte(start+headers(1)+frame(frameData, flagPadded, 1, "\xffab")+data(1, "abc")), []byte{}, uint64(4))
	f.Add([]byte(start+headers(5)+data(5, message(9, 1))+headers(3)+data(3, "x")+data(0, "x")), []byte(frame(frameReset, 0, 5, "code")), uint64(5))
	f.Add([]byte(start+headers(1)+data(1, message(9, 1))+frame(frameData, flagEndStream, 1, "")), []byte{}, uint64(6))
	f.Add([]byte(start+headers(1)+data(1, message(9, 1))), []byte(frame(frameData, 0, 1, "abc")+frame(frameHeaders, flagEndStream, 1, "t")), uint64(7))
	f.Fuzz(func(t *testing.T, received, sent []byte, seed uint64) {
		follow(t, string(received), string(sent), rand.New(rand.NewPCG(seed, 0)))
	})
}

// TestRandomStreams follows conversations that are mostly well-formed, with a few frames that are not.
func TestRandomStreams(t *testing.T) {
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 1))
		var in, out strings.Builder
		in.Write(preface)
		opened, pending := uint32(0), map[uint32]string{}
		for range random.IntN(200) {
			id := uint32(0)
			if opened > 0 {
				id = 1 + 2*random.Uint32N(opened)
			}
			switch n := random.IntN(20); {
			case n < 3:
				in.WriteString(headers(1 + 2*opened))
				opened++
			case n == 3:
				in.WriteString(frame(frameReset, 0, id, "code"))
			case n == 4:
				in.WriteString(frame(frameData, flagEndStream, id, pending[id]))
				pending[id] = ""
			case n == 5:
				in.WriteString(frame(byte(4+random.IntN(8)), byte(random.IntN(256)), id, strings.Repeat("s", random.IntN(30))))
			case n == 6:
				out.WriteString(frame(byte(random.IntN(4)), byte(random.IntN(2)), id, strings.Repeat("o", random.IntN(30))))
			case n == 7:
				in.WriteString(frame(frameData, flagPadded, id, string(rune(random.IntN(100)))+"0123456789"))
			default:
				length := random.IntN(40)
				if random.IntN(8) == 0 {
					length = random.IntN(20000)
				}
				bytes := pending[id] + message(length, length)
				n := random.IntN(len(bytes) + 1)
				pending[id] = bytes[n:]
				if pad := random.IntN(12); pad < 6 {
					in.WriteString(frame(frameData, flagPadded, id, string(rune(pad))+bytes[:n]+strings.Repeat("p", pad)))
				} else {
					in.WriteString(data(id, bytes[:n]))
				}
			}
		}
		received := in.String()
		follow(t, received[:len(received)-random.IntN(min(len(received), 60))], out.String(), random)
	}
}

// TestMemory holds what the watch counts: nothing of whole messages, the buffers of those that are not.
func TestMemory(t *testing.T) {
	w := NewBudget(Options{Bytes: limit.NewBytes(1 << 30)}).Watch(nil, nil)
	check := func(what string, want int64) {
		t.Helper()
		if w.held != want || w.budget.Used() != want {
			t.Errorf("after %s %d bytes are held and %d taken, want %d", what, w.held, w.budget.Used(), want)
		}
	}
	see := func(text string) { w.Received([]byte(text)) }
	see(string(preface) + headers(1) + data(1, message(100, 100)))
	check("a whole message", 0)
	see(data(1, message(40000, 16384-5)))
	check("the first frame", memory(16384))
	see(data(1, strings.Repeat("m", 16384)))
	check("the second frame", 2*memory(16384))
	see(data(1, strings.Repeat("m", 40000-16379-16384)))
	check("the last frame", 0)
	see(data(1, message(9, 9)+"\x00"))
	check("the first byte of the next message", memory(15))
	see(headers(3) + data(3, message(9, 1)))
	check("the beginning of another stream's", memory(15)+memory(6))
	w.Sent([]byte(frame(frameHeaders, flagEndStream, 3, "trailers")))
	check("the other stream's end by the server", memory(15))
	see(data(3, "more of what nobody reads"))
	check("what comes on an ended stream", memory(15))
	see(frame(frameReset, 0, 1, "code"))
	check("the end of the first stream", 0)
	if len(w.streams) != 0 {
		t.Errorf("%d streams are kept", len(w.streams))
	}
}

func TestTinyFramesCostMoreThanTheirBytes(t *testing.T) {
	w := NewBudget(Options{Bytes: limit.NewBytes(1 << 30)}).Watch(nil, nil)
	w.Received([]byte(string(preface) + headers(1) + data(1, message(1000, 0)) + strings.Repeat(data(1, "x"), 100)))
	if want := memory(5) + 100*memory(1); w.held != want || want < 100*100 {
		t.Errorf("%d bytes are held, want %d", w.held, want)
	}
}
