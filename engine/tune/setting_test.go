package tune

import (
	"slices"
	"testing"
)

func TestLayouts(t *testing.T) {
	check := func(s Space, present Setting, want ...Setting) {
		t.Helper()
		got := s.layouts(present)
		if !slices.Equal(got, want) {
			t.Errorf("of %+v:\n got %v\nwant %v", s, got, want)
		}
	}
	check(Space{Cores: 2, Wide: true}, Setting{2, 2, true, 32},
		Setting{1, 2, false, 32}, Setting{2, 2, false, 32}, Setting{1, 1, false, 32}, Setting{3, 3, true, 32}, Setting{3, 3, false, 32})
	check(Space{Cores: 1}, Setting{1, 1, false, 32}, Setting{2, 2, false, 32})
	check(Space{}, Setting{1, 0, false, 32}, Setting{2, 0, false, 32}, Setting{3, 0, false, 32}, Setting{4, 0, false, 32})
	check(Space{Cores: 2, KeepLayout: true}, Setting{2, 2, true, 32})

	// Of all numbers of cores: none twice, the present one never, one with more threads than cores.
	for cores := 1; cores <= 256; cores++ {
		present := Setting{min(cores, 8), min(cores, 8) * (cores / min(cores, 8)), false, 32}
		all := Space{Cores: cores, Wide: true}.layouts(present)
		above := map[[2]int]bool{}
		for i, s := range all {
			if s == present || slices.Index(all, s) != i || s.Lanes < 1 || s.Threads < s.Lanes || s.Threads%s.Lanes != 0 {
				t.Errorf("%d cores: %v", cores, s)
			}
			if s.Threads > cores {
				above[[2]int{s.Lanes, s.Threads}] = true
			}
		}
		if len(above) != 1 && cores%present.Lanes == 0 || len(all) > 24 {
			t.Errorf("%d cores: %d settings, %d above", cores, len(all), len(above))
		}
	}
}

func TestMinibatches(t *testing.T) {
	all := Space{Cores: 4}.minibatches(Setting{2, 4, true, 16})
	if len(all) != 3 || slices.ContainsFunc(all, func(s Setting) bool { return s.Minibatch == 16 || s.Lanes != 2 || !s.Wide }) {
		t.Errorf("%v", all)
	}
}
