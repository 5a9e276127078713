package main

import (
	"testing"

	"github.com/rs/zerolog"

	"clipd/flows"
)

func TestHealthOfSeveralModels(t *testing.T) {
	h := newHealth(&flows.Flow{Executors: []flows.Executor{{Name: "a"}, {Name: "b"}}}, nil, zerolog.Nop())
	said := []string{}
	a, b := h.report(0), h.report(1)
	a(false, "no lane works") // before anyone listens
	h.follow(func(reason string) { said = append(said, reason) })
	b(false, "a lane hangs")
	a(true, "")
	b(true, "")
	want := []string{"executor a: no lane works", "executor a: no lane works; executor b: a lane hangs", "executor b: a lane hangs", ""}
	if len(said) != len(want) {
		t.Fatalf("%q", said)
	}
	for i := range want {
		if said[i] != want[i] {
			t.Errorf("%q, want %q", said[i], want[i])
		}
	}
}
