package engine

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func itemsOf(lengths ...int) []item {
	items := make([]item, len(lengths))
	next := int32(2)
	for i, n := range lengths {
		items[i].ids = make([]int32, n)
		for j := range items[i].ids {
			items[i].ids[j] = next
			next++
		}
		items[i].ids[n-1] = endToken + int32(i)
	}
	return items
}

// TestPack places random texts and reads them back: each lies in one piece, sees no other one, and little is padding.
func TestPack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	c := &cost{unit: 200 * time.Microsecond, change: 2 * time.Millisecond, fresh: 4 * time.Millisecond}
	s := &shapes{}
	var p packer
	var b textBuffers
	tokens, padded, forms := 0, 0, map[form]bool{}
	for range 2000 {
		lengths := make([]int, 1+rnd.IntN(32))
		for i := range lengths {
			if lengths[i] = 5 + rnd.IntN(16); rnd.IntN(20) == 0 {
				lengths[i] = 1 + rnd.IntN(77)
			}
		}
		items := itemsOf(lengths...)
		f := p.pack(items, s, c)
		s.ran(f)
		b.packed(items, &p, f)
		got := rowsOf(b.batch)
		for i := range items {
			if !slices.Equal(got[i], items[i].ids) {
				t.Fatalf("text %d of lengths %v became %v in %v", i, lengths, got[i], f)
			}
			tokens += lengths[i]
		}
		if len(b.batch.IDs) != f.tokens() || b.batch.Rows != f.ends || f.ends < len(items) || f.width > lineMost {
			t.Fatalf("lengths %v became %v with %d ids and %d rows", lengths, f, len(b.batch.IDs), b.batch.Rows)
		}
		used := 0
		for _, segment := range b.pack.Segments {
			if segment >= 0 {
				used++
			}
		}
		padded += f.tokens() - used
		forms[f] = true
	}
	if padded > tokens/10 {
		t.Errorf("%d tokens are padded for %d of texts", padded, tokens)
	}
	if len(forms) > seenMost {
		t.Errorf("%d forms", len(forms))
	}
}

// TestPackForms shows which form a batch gets: the texts without a gap, unless the lane's last form is near enough.
func TestPackForms(t *testing.T) {
	c := &cost{unit: 200 * time.Microsecond, change: 2 * time.Millisecond}
	s := &shapes{}
	var p packer
	check := func(want form, lengths ...int) {
		t.Helper()
		got := p.pack(itemsOf(lengths...), s, c)
		if got != want {
			t.Errorf("texts of %v become %v, want %v", lengths, got, want)
		}
		s.ran(got)
	}
	check(form{1, 9, 1}, 9)
	check(form{1, 30, 4}, 7, 11, 12)
	check(form{1, 30, 4}, 7, 7, 7)              // 9 tokens of padding cost less than a change
	check(form{1, 14, 2}, 7, 7)                 // 16 do not
	check(form{1, 77, 1}, 77)                   // the whole context
	check(form{2, 80, 2}, 77, 77)               // lines of few widths
	check(form{2, 56, 8}, 20, 20, 16, 16, 9, 9) // by first fit 48 are too few
	check(form{1, 100, 1}, 100)                 // a network of a longer context
	check(form{4, 80, 4}, 77, 77, 77, 77)
}

// TestTokensOfABatch shows that a packed batch ends where more tokens are of no use, and that long and short texts ride
// together.
func TestTokensOfABatch(t *testing.T) {
	c := &cost{fixed: 2 * time.Millisecond, unit: 200 * time.Microsecond}
	if got := c.fullTokens(20); got != 500 {
		t.Errorf("a full batch has %d tokens, want 500", got)
	}
	if got := c.fullTokens(77); got != leastFull*77 {
		t.Errorf("a full batch of a context of 77 has %d tokens, want %d", got, leastFull*77)
	}
	q := &queue{place: textPlace}
	r := &request{inputs: make([]Input, 40)}
	for i := range 40 {
		n := 10
		if i%4 == 3 {
			n = 70
		}
		q.push(item{req: r, index: i, ids: make([]int32, n)}, 0)
	}
	total := 0
	got := q.take(nil, limits{tower: TextTower, rows: 32, cost: c, most: 32, tokens: 500})
	for i, it := range got {
		if it.index != i {
			t.Errorf("item %d comes as number %d", it.index, i)
		}
		total += len(it.ids)
	}
	if total != 500 || len(got) != 20 {
		t.Errorf("a batch of %d texts with %d tokens, want 20 with 500", len(got), total)
	}
}

// TestPackedTogether shows that texts of all lengths ride in one batch of a model that packs.
func TestPackedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		spec := testSpec
		spec.Packs = true
		m, err := NewModel(spec, runes{}, []Lane{l}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var inputs []Input
		for i := range 8 {
			inputs = append(inputs, text(strings.Repeat("y", 9*i)+string(rune('a'+i))))
		}
		close(l.gate)
		emb, err := m.Encode(t.Context(), inputs)
		if err != nil || emb.Err() != nil {
			t.Fatal(err, emb.Err())
		}
		for i := range inputs {
			if row := emb.Row(i); row[0] != textSum(inputs[i].Text) || row[2] != 8 {
				t.Errorf("text %d has the row %v", i, row)
			}
		}
		m.Close()
	})
}

func TestUpToEnd(t *testing.T) {
	for _, c := range [][2][]int32{
		{{5, 3, 9}, {5, 3, 9}},
		{{5, 9, 3, 9, 9}, {5, 9}}, // the end's marker in the text
		{{7}, {7}},
		{{5, 9, 0, 0}, {5, 9}},
		{nil, nil},
	} {
		if got := upToEnd(c[0]); !slices.Equal(got, c[1]) {
			t.Errorf("%v is cut to %v, want %v", c[0], got, c[1])
		}
	}
}

// TestLayOutTexts shows the two ways to lay texts out for a session that packs, and the one for any other.
func TestLayOutTexts(t *testing.T) {
	rows := [][]int32{{1, 5, 9}, {1, 6, 7, 8, 9}, {1, 9, 4}} // the last has tokens behind its end
	for _, c := range []struct {
		name                 string
		got                  TextBatch
		rows, length, tokens int
	}{
		{"packed", LayOut(rows, true, 0), 4, 10, 10},
		{"a line each, packed", LayOutLines(rows, true, 0), 3, 5, 15},
		{"padded", LayOut(rows, false, 0), 3, 5, 15},
		{"a line each, padded", LayOutLines(rows, false, 0), 3, 5, 15},
	} {
		if c.got.Rows != c.rows || c.got.Length != c.length || len(c.got.IDs) != c.tokens {
			t.Errorf("%s: %d rows, lines of %d, %d tokens", c.name, c.got.Rows, c.got.Length, len(c.got.IDs))
		}
		back := rowsOf(c.got)
		for i, row := range rows {
			want := row
			if c.got.Packing != nil {
				want = upToEnd(row)
			}
			if !slices.Equal(back[i][:len(want)], want) {
				t.Errorf("%s: text %d is %v, want %v", c.name, i, back[i], want)
			}
		}
	}
}
