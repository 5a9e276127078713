package cpus

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	check := func(list string, want ...int) {
		t.Helper()
		got, err := Parse(list)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Parse(%q) = %v, %v; want %v", list, []int(got), err, want)
		}
	}
	check("")
	check("\n")
	check("0", 0)
	check("0-3,8\n", 0, 1, 2, 3, 8)
	check("8,2-3,3,0-2", 0, 1, 2, 3, 8)
	check("8191", 8191)
	for _, list := range []string{"x", "1x", "-1", "+1", "3-1", "0-", "0,,1", ",", "0,", "0-1-2", "8192", "99999999999"} {
		if got, err := Parse(list); err == nil || !strings.Contains(err.Error(), list) {
			t.Errorf("Parse(%q) = %v, %v; want an error that names it", list, got, err)
		}
	}
}

func TestString(t *testing.T) {
	for _, list := range []string{"", "0", "0-3,8", "1,3,5-6", "0-8191"} {
		s, err := Parse(list)
		if err != nil || s.String() != list {
			t.Errorf("Parse(%q) is written as %q, %v", list, s, err)
		}
	}
	if got := NewSet(5, 1, 5, 0).String(); got != "0-1,5" {
		t.Errorf("NewSet(5, 1, 5, 0) is %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, list := range []string{"0-3,8", "", "8191", "0-8191", "1,1", "-"} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		s, err := Parse(list)
		if err != nil {
			return
		}
		again, err := Parse(s.String())
		if err != nil || !slices.Equal(again, s) {
			t.Errorf("%q was read as %v, written as %q and read as %v, %v", list, []int(s), s, []int(again), err)
		}
	})
}

func TestCPULists(t *testing.T) {
	check := func(text string, want ...int) {
		t.Helper()
		got, err := Parse(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
		if back := got.String(); back != text {
			t.Errorf("%v is written %q, want %q", got, back, text)
		}
	}
	check("")
	check("5", 5)
	check("0-3,8,10-11", 0, 1, 2, 3, 8, 10, 11)
	for _, bad := range []string{"a", "1-", "3-1", "-1", "1,,2", "0-99999999"} {
		if got, err := Parse(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}
