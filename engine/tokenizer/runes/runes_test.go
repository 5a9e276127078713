package runes

import (
	"testing"
	"unicode"
)

// TestProperties compares with Go's tables where the Unicode version does not matter.
func TestProperties(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if 0xD800 <= r && r <= 0xDFFF || Is(r, Unassigned) || !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.C) {
			continue
		}
		if got, want := Is(r, Letter), unicode.IsLetter(r); got != want {
			t.Errorf("%U: letter %v, want %v", r, got, want)
		}
		if got, want := Is(r, Number), unicode.IsNumber(r); got != want {
			t.Errorf("%U: number %v, want %v", r, got, want)
		}
		if got, want := Is(r, Space), unicode.Is(unicode.White_Space, r); got != want {
			t.Errorf("%U: white space %v, want %v", r, got, want)
		}
		if got, want := Is(r, Digit), unicode.IsDigit(r); got != want {
			t.Errorf("%U: decimal digit %v, want %v", r, got, want)
		}
		if got, want := Is(r, PythonSpace), Is(r, Space) || 0x1C <= r && r <= 0x1F; got != want {
			t.Errorf("%U: space of Python %v, want %v", r, got, want)
		}
		classes := 0
		for _, class := range []Property{Letter, Number, Space, Symbol} {
			if Is(r, class) {
				classes++
			}
		}
		if classes != 1 && r != 0x345 {
			t.Errorf("%U is in %d classes of the split pattern, want 1", r, classes)
		}
	}
	if p := Of(0x345); p&(Letter|Number|Space|Symbol) != 0 {
		t.Errorf("U+0345 has properties %b, want no class of the split pattern", p)
	}
}

func TestTable(t *testing.T) {
	table := NewTable[int]()
	table.Set(5, 10, 1)
	table.Set(8, 1000, 2)
	table.Set(300, 301, 3)
	table.Set(0x10FF00, 0x110000, 4)
	check := func(r rune, want int) {
		t.Helper()
		if got := table.At(r); got != want {
			t.Errorf("At(%U) = %d, want %d", r, got, want)
		}
	}
	check(4, 0)
	check(5, 1)
	check(8, 2)
	check(299, 2)
	check(300, 3)
	check(301, 2)
	check(600, 2)
	check(999, 2)
	check(1000, 0)
	check(0x10FEFF, 0)
	check(0x10FFFF, 4)
	check(-1, 0)
	check(0x110000, 0)
}

func TestWith(t *testing.T) {
	covered := 0
	for first, end := range With(Space | Digit) {
		for r := first; r < end; r++ {
			if !Is(r, Space) && !Is(r, Digit) {
				t.Errorf("%U is in a run but neither a space nor a digit", r)
			}
			covered++
		}
	}
	want := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if Is(r, Space|Digit) {
			want++
		}
	}
	if covered != want {
		t.Errorf("the runs have %d characters, want %d", covered, want)
	}
}
