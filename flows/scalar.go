package flows

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// The types of plain (unquoted) scalars of YAML 1.1, as the original's reader knows them. It takes on and off for text.
var (
	yamlBool  = regexp.MustCompile(`^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE)$`)
	yamlNull  = regexp.MustCompile(`^(?:~|null|Null|NULL|)$`)
	yamlInt   = regexp.MustCompile(`^[-+]?(?:0b[0-1_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)
	yamlFloat = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|` +
		`[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
)

// resolvePlain sets kind and content of v from a plain scalar.
func (v *value) resolvePlain(s string) {
	v.kind, v.text = text, s
	switch {
	case yamlNull.MatchString(s):
		v.kind = null
	case yamlBool.MatchString(s):
		v.setBool(strings.EqualFold(s, "yes") || strings.EqualFold(s, "true"))
	case yamlInt.MatchString(s):
		v.setYAMLInt(strings.ReplaceAll(s, "_", ""))
	case yamlFloat.MatchString(s):
		v.setYAMLFloat(strings.ToLower(strings.ReplaceAll(s, "_", "")))
	}
}

func (v *value) setBool(b bool)      { v.kind, v.boolean = boolean, b }
func (v *value) setInt(i int64)      { v.kind, v.integer = integer, i }
func (v *value) setFloat(f float64)  { v.kind, v.float = float, f }
func (v *value) setItems(l []*value) { v.kind, v.items = list, l }

// setYAMLInt reads an integer in YAML 1.1's notations; one that does not fit 64 bits becomes a float.
func (v *value) setYAMLInt(s string) {
	digits := strings.TrimLeft(s, "+-")
	sign := s[:len(s)-len(digits)]
	base := 10
	switch {
	case strings.HasPrefix(digits, "0b"):
		base, digits = 2, digits[2:]
	case strings.HasPrefix(digits, "0x"):
		base, digits = 16, digits[2:]
	case strings.Contains(digits, ":"):
		if f := sexagesimal(digits); f < 1<<53 {
			digits = strconv.FormatInt(int64(f), 10)
		} else {
			v.setFloat(f)
			return
		}
	case len(digits) > 1 && digits[0] == '0':
		base = 8
	}
	if i, err := strconv.ParseInt(sign+digits, base, 64); err == nil {
		v.setInt(i)
	} else if f, err := strconv.ParseFloat(sign+digits, 64); base == 10 && (err == nil || math.IsInf(f, 0)) {
		v.setFloat(f)
	}
}

func (v *value) setYAMLFloat(s string) {
	sign := 1.0
	if strings.HasPrefix(s, "-") {
		sign = -1
	}
	digits := strings.TrimLeft(s, "+-")
	switch {
	case digits == ".inf":
		v.setFloat(math.Inf(int(sign)))
	case digits == ".nan":
		v.setFloat(math.NaN())
	case strings.Contains(digits, ":"):
		v.setFloat(sign * sexagesimal(digits))
	default:
		if f, err := strconv.ParseFloat(digits, 64); err == nil || math.IsInf(f, 0) {
			v.setFloat(sign * f)
		}
	}
}

// sexagesimal reads 1:30 as 90, and 1:30.5 as 90.5.
func sexagesimal(s string) float64 {
	total := 0.0
	for _, part := range strings.Split(s, ":") {
		f, _ := strconv.ParseFloat(part, 64) // the pattern lets digits and a dot through only
		total = total*60 + f
	}
	return total
}

var (
	quotedText = regexp.MustCompile(`^['"](.*)['"]\n?$`)
	// Python's notations of numbers in a text; hexadecimal is none of them.
	pythonInt   = regexp.MustCompile(`^[-+]?[0-9]+(?:_[0-9]+)*$`)
	pythonFloat = regexp.MustCompile(`^[-+]?(?:(?:[0-9]+(?:_[0-9]+)*\.?(?:[0-9]+(?:_[0-9]+)*)?|\.[0-9]+(?:_[0-9]+)*)(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?|(?i:inf|infinity|nan))$`)
)

// reread sets kind and content of v from a text whose variables are replaced: text in quotes loses them, [a, 2] is a
// list, then numbers, true and false in any case; empty is null.
func (v *value) reread(s string) {
	v.kind, v.text = text, s
	if m := quotedText.FindStringSubmatch(s); m != nil {
		v.text = m[1]
		return
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		v.rereadList(s)
		return
	}
	number := strings.TrimSpace(s)
	digits := strings.ReplaceAll(number, "_", "")
	switch {
	case pythonInt.MatchString(number):
		if i, err := strconv.ParseInt(digits, 10, 64); err == nil {
			v.setInt(i)
			return
		}
		f, _ := strconv.ParseFloat(digits, 64)
		v.setFloat(f)
	case pythonFloat.MatchString(number):
		f, _ := strconv.ParseFloat(digits, 64) // out of range gives an infinity, as in Python
		v.setFloat(f)
	case s == "":
		v.kind = null
	case strings.EqualFold(s, "true"), strings.EqualFold(s, "false"):
		v.setBool(strings.EqualFold(s, "true"))
	}
}

// maxTextItems bounds the list that one text can become; a longer one stays a text.
const maxTextItems = 1000

// rereadList reads [a, 2]; inner brackets are ignored.
func (v *value) rereadList(s string) {
	inner := strings.TrimSpace(strings.NewReplacer("[", "", "]", "").Replace(s))
	if strings.Count(inner, ",") >= maxTextItems {
		return
	}
	items := []*value{}
	if inner != "" {
		for _, part := range strings.Split(inner, ",") {
			item := &value{source: v.source, line: v.line, column: v.column}
			item.reread(strings.TrimSpace(part))
			items = append(items, item)
		}
	}
	v.setItems(items)
}
