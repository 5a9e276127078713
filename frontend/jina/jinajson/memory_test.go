package jinajson

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// hostile are bodies that become many times as large.
var hostile = map[string]string{
	"objects of one": `{"parameters":{"a":[` + strings.Repeat(`{"a":0},        `, 1<<16) + `0]}}`,
	"empty objects":  `{"parameters":{"a":[` + strings.Repeat(`{},     `, 1<<16) + `0]}}`,
	"empty lists":    `{"parameters":{"a":[` + strings.Repeat(`[],     `, 1<<16) + `0]}}`,
	"lists of one":   `{"parameters":{"a":[` + strings.Repeat(`[[[0]]],                        `, 1<<15) + `0]}}`,
	"numbers":        `{"parameters":{"a":[` + strings.Repeat(`0,`, 1<<15) + `0]}}`,
	"words":          `{"parameters":{"a":[` + strings.Repeat(`"a",true,null,          `, 1<<15) + `0]}}`,
	"keys":           `{"parameters":{` + manyKeys(1<<17) + `"a":0}}`,
	"tags":           `{"data":[` + strings.Repeat(`{"tags":{"a":{"a":{}}}},        `, 1<<14) + `{}]}`,
	"scores":         `{"data":[` + strings.Repeat(`{"scores":{"a":{"value":1},"b":{}}},`, 1<<13) + `{}]}`,
	"documents":      `{"data":[` + strings.Repeat(`{},`, 1<<17) + `{}]}`,
	"matches":        `{"data":[` + strings.Repeat(`{"matches":[{}]},`, 1<<16) + `{}]}`,
	"texts":          `{"data":[` + strings.Repeat(`{"text":"`+strings.Repeat("a", 1000)+`"},`, 1<<12) + `{}]}`,
	"tensor":         `{"data":[{"tensor":[0.5` + strings.Repeat(`,0`, 1<<20) + `]}]}`,
	"bytes":          `{"data":[{"tensor":[0` + strings.Repeat(`,0`, 1<<20) + `,300]}]}`,
	"bools":          `{"data":[{"tensor":[true` + strings.Repeat(`,true`, 1<<19) + `,300]}]}`,
	"tensors":        `{"data":[` + strings.Repeat(`{"tensor":[[0]]},`, 1<<16) + `{}]}`,
	"location":       `{"data":[{"location":[0` + strings.Repeat(`,0`, 1<<20) + `]}]}`,
	"embeddings":     `{"data":[` + strings.Repeat(`{"embedding":"AAAAAA=="},`, 1<<16) + `{}]}`,
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%08d":0,`, i)
	}
	return b.String()
}

// The memory that is asked for covers what is then taken.
func TestMemoryIsAskedFor(t *testing.T) {
	for name, text := range hostile {
		var asked int64
		body := []byte(text)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		r, err := Parse(body, Limits{Take: func(n int64) error { asked = n; return nil }})
		if err != nil {
			t.Error(name, err)
			continue
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(r)
		runtime.KeepAlive(body)
		took := int64(after.HeapAlloc) - int64(before.HeapAlloc)
		t.Logf("%-16s %8d bytes: asked for %9d, took %9d", name, len(text), asked, took)
		if asked < took {
			t.Errorf("%s: %d bytes of memory were asked for and %d taken", name, asked, took)
		}
		if asked > 12*took+1<<20 && took > 0 {
			t.Errorf("%s: %d bytes of memory were asked for, far more than the %d that were taken", name, asked, took)
		}
	}
}

func TestNothingIsMadeWithoutMemory(t *testing.T) {
	full := errors.New("full")
	var before, after runtime.MemStats
	body := []byte(hostile["objects of one"])
	runtime.ReadMemStats(&before)
	_, err := Parse(body, Limits{Take: func(int64) error { return full }})
	runtime.ReadMemStats(&after)
	if !errors.Is(err, full) {
		t.Error(err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<16 {
		t.Error(took, "bytes were allocated")
	}
}
