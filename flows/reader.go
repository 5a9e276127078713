package flows

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// reader collects what is wrong and what is worth a notice while the sections of a flow are read.
type reader struct {
	source  string
	options Options
	errs    Errors
	notices []Notice
	noticed map[string]bool // by key
	// places lists the sections of a flow. A field, because the sections' own readers lead back to it.
	places func() []place
	data   []byte // of the flow file
}

func (r *reader) fail(v *value, format string, args ...any) {
	r.failAt(v, v.line, v.column, format, args...)
}

// failAt notes a mistake in the file that v comes from.
func (r *reader) failAt(v *value, line, column int, format string, args ...any) {
	r.errs = append(r.errs, &Error{v.source, line, column, fmt.Sprintf(format, args...)})
}

// notice says why a key of v has no meaning here, once for each key.
func (r *reader) notice(v *value, e entry, why string) {
	if r.noticed[e.key] {
		return
	}
	r.noticed[e.key] = true
	r.notices = append(r.notices, Notice{v.source, e.line, e.column, e.key, fmt.Sprintf("%s: %s", e.key, why)})
}

// boolean takes true and false. The words on and off are texts in a flow file, so they are a mistake, not a guess.
func (r *reader) boolean(key string, v *value) (b, ok bool) {
	if v.kind == boolean {
		return v.boolean, true
	}
	hint := ""
	switch strings.ToLower(v.text) {
	case "on", "y", "1":
		hint = "; write true"
	case "off", "n", "0":
		hint = "; write false"
	default:
		hint = didYouMean(nearest(v.text, []string{"true", "false"}))
	}
	r.fail(v, "%s is true or false, not %s%s", key, v.describe(), hint)
	return false, false
}

// integer takes a whole number from least to most.
func (r *reader) integer(key, unit string, v *value, least, most int64) (int64, bool) {
	if v.kind == integer && v.integer >= least && v.integer <= most {
		return v.integer, true
	}
	limits := fmt.Sprintf("from %d to %d", least, most)
	if most == math.MaxInt64 {
		limits = fmt.Sprintf("of at least %d", least)
	}
	if unit != "" {
		unit = " (" + unit + ")"
	}
	r.fail(v, "%s is a whole number %s%s, not %s%s", key, limits, unit, v.describe(), undefinedVariable(v))
	return 0, false
}

// byteSuffixes are the units that a size may carry; more than 1 TiB is no sane size of anything here.
var byteSuffixes = map[string]int64{"": 1, "B": 1,
	"K": 1 << 10, "KB": 1e3, "KIB": 1 << 10, "M": 1 << 20, "MB": 1e6, "MIB": 1 << 20, "G": 1 << 30, "GB": 1e9, "GIB": 1 << 30}

const maxByteSize = 1 << 40

var byteSize = regexp.MustCompile(`^([0-9]{1,13}) ?([A-Za-z]{0,3})$`)

// bytes takes a number of bytes from least to most, plain or as 64MiB.
func (r *reader) bytes(key string, v *value, least, most int64) (int64, bool) {
	n, known := v.integer, v.kind == integer
	if m := byteSize.FindStringSubmatch(v.text); m != nil && v.kind == text {
		digits, _ := strconv.ParseInt(m[1], 10, 64) // 13 digits fit
		factor := byteSuffixes[strings.ToUpper(m[2])]
		n, known = digits*factor, factor > 0 && digits <= maxByteSize/factor
	}
	if known && n >= least && n <= most {
		return n, true
	}
	r.fail(v, "%s is a number of bytes from %s to %s such as 67108864 or 64MiB, not %s%s", key, sizeText(least), sizeText(most),
		v.describe(), undefinedVariable(v))
	return 0, false
}

// sizeText writes a number of bytes as a flow file may give it: 64MiB.
func sizeText(n int64) string {
	for _, unit := range []string{"GiB", "MiB", "KiB"} {
		if factor := byteSuffixes[strings.ToUpper(unit)]; n >= factor && n%factor == 0 {
			return strconv.FormatInt(n/factor, 10) + unit
		}
	}
	return strconv.FormatInt(n, 10)
}

// milliseconds takes a time; -1 is endless.
func (r *reader) milliseconds(key string, v *value) (time.Duration, bool) {
	const most = 100 * 365 * 24 * 3600 * 1000 // a hundred years, so that no sum with a tenth more can overflow
	switch {
	case v.kind != integer:
	case v.integer > most:
		r.fail(v, "%s of %s milliseconds is more than a hundred years; write -1 for no limit", key, v.describe())
		return 0, false
	case v.integer == -1:
		return -1, true
	case v.integer > 0:
		return time.Duration(v.integer) * time.Millisecond, true
	}
	r.fail(v, "%s is a time in milliseconds, a whole number above 0 or -1 for no limit, not %s%s", key, v.describe(), undefinedVariable(v))
	return 0, false
}

// text takes any single value as it is written.
func (r *reader) text(key string, v *value) (string, bool) {
	if v.kind == list || v.kind == object {
		r.fail(v, "%s is a text, not %s", key, v.describe())
		return "", false
	}
	if strings.ContainsRune(v.text, 0) {
		r.fail(v, "%s holds a zero byte", key)
		return "", false
	}
	return v.text, true
}

// word takes one of a few words, in any case. meant are words that people write for one of them.
func (r *reader) word(key string, v *value, words []string, meant map[string]string) (string, bool) {
	if v.kind == text {
		for _, w := range words {
			if strings.EqualFold(w, v.text) {
				return w, true
			}
		}
	}
	hint := ""
	if w := meant[strings.ToLower(v.text)]; w != "" {
		hint = "; " + w
	} else if w := nearest(v.text, words); w != "" {
		hint = didYouMean(w)
	}
	r.fail(v, "%s is one of %s, not %s%s", key, strings.Join(words, ", "), v.describe(), hint+undefinedVariable(v))
	return "", false
}

// texts takes one text or a list of them.
func (r *reader) texts(key string, v *value) []string {
	var out []string
	for _, item := range v.oneOrMore() {
		if s, ok := r.text(key, item); ok && s != "" {
			out = append(out, s)
		}
	}
	return out
}

// oneOrMore gives the items of a list, or v itself.
func (v *value) oneOrMore() []*value {
	if v.kind == list {
		return v.items
	}
	return []*value{v}
}

// environment takes an object of environment variables.
func (r *reader) environment(key string, v *value, into map[string]string) {
	if v.kind != object {
		r.fail(v, "%s is an object of variables, such as {CUDA_VISIBLE_DEVICES: RR}, not %s", key, v.describe())
		return
	}
	for _, e := range v.entries {
		if e.key == "" || strings.ContainsAny(e.key, "=\x00") {
			r.failAt(v, e.line, e.column, "%s: %s is no name of an environment variable", key, quote(e.key))
			continue
		}
		if s, ok := r.text(key+": "+e.key, e.value); ok {
			into[e.key] = s
		}
	}
}

// settings takes an object whose values are passed on as they are.
func (r *reader) settings(key string, v *value) map[string]any {
	if v.kind != object {
		r.fail(v, "%s is an object of settings, not %s", key, v.describe())
		return nil
	}
	return v.plain().(map[string]any)
}

var leftoverVariable = regexp.MustCompile(`\$\{?\{?\s?(?:ENV\.|env\.)?([A-Za-z_][A-Za-z0-9_]*)`)

// undefinedVariable explains a value in which a variable was left because the environment has none of that name.
func undefinedVariable(v *value) string {
	if m := leftoverVariable.FindStringSubmatch(v.text); m != nil && v.kind == text {
		return fmt.Sprintf("; the environment variable %s is not set", m[1])
	}
	return ""
}
