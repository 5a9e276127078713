package charref

import (
	"strings"
	"testing"
)

func TestUnescape(t *testing.T) {
	check := func(in, want string) {
		t.Helper()
		if got := Unescape(in); got != want {
			t.Errorf("Unescape(%+q) = %+q, want %+q", in, got, want)
		}
	}
	check("", "")
	check("no reference", "no reference")
	check("&lt;&gt;&amp;&quot;", `<>&"`)
	check("&amp;lt;", "&lt;") // not read again
	check("&ampx &notit; &notin; &no", "&x ¬it; ∉ &no")
	check("&NotEqualTilde;", "≂̸")
	check("&CounterClockwiseContourIntegral;&CounterClockwiseContourIntegral", "∳&CounterClockwiseContourIntegral")
	check("&Tab;&NewLine;", "\t\n")
	check("&eacute;&EACUTE;&eacute", "é&EACUTE;é")
	check("& & && &;", "& & && &;")

	check("&#65;&#65&#x41;&#X4a&#0065;", "AAAJA")
	check("&#;&#x;&#xg;&#", "&#;&#x;&#xg;&#")
	check("&#0;&#xD800;&#xDFFF;&#x110000;", "\uFFFD\uFFFD\uFFFD\uFFFD")
	check("&#"+strings.Repeat("9", 5000)+";&#x"+strings.Repeat("f", 5000)+"z", "\uFFFD\uFFFDz")
	check("&#128;&#129;&#150;&#159;", "€\u0081–Ÿ")
	check("a&#1;&#8;&#11;&#31;&#127;&#xFDD0;&#xFFFE;&#x1FFFF;&#x10FFFF;b", "ab")
	check("&#9;&#10;&#12;&#13;&#x1F600;", "\t\n\f\r😀")
}

func TestNamesOfAllTables(t *testing.T) {
	if n := len(entities()); n != 2231 {
		t.Errorf("%d names, HTML 5 has 2231", n)
	}
	for name, characters := range entities() {
		if got := Unescape("&" + name); got != characters {
			t.Errorf("&%s gives %+q, want %+q", name, got, characters)
		}
		if len(strings.TrimSuffix(name, ";")) > maxName || len(name) < 2 {
			t.Errorf("name %q has an impossible length", name)
		}
	}
}
