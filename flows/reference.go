package flows

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// reference is ${{root.with.port}}, ${{this.key}}, ${{root.list[0].name}} or ${{ENV.X}}, without blanks.
var reference = regexp.MustCompile(`\$\{\{([\p{L}\p{N}_\[\].]+)\}\}`)

// references replaces the references in s. One that begins with another word than root, this or ENV stays.
func (x *expander) references(s string, this *value) (string, error) {
	var problem error
	grown := 0
	out := reference.ReplaceAllStringFunc(s, func(match string) string {
		if problem != nil || grown > maxSubstituted {
			return ""
		}
		replaced, err := x.resolve(match, match[3:len(match)-2], this)
		if err != nil {
			problem = err
		}
		grown += len(replaced)
		return replaced
	})
	return out, problem
}

var (
	referenceHead = regexp.MustCompile(`^[\p{L}\p{N}_]+`)
	referenceStep = regexp.MustCompile(`^(?:\.([\p{L}\p{N}_]+)|\[([0-9]+)\])`)
)

// resolve gives the text of the value that path names.
func (x *expander) resolve(match, path string, this *value) (string, error) {
	head := referenceHead.FindString(path)
	rest := path[len(head):]
	var at *value
	switch head {
	case "root":
		at = x.root
	case "this":
		at = this
	case "ENV":
		val, defined := x.lookupEnv(strings.TrimPrefix(rest, "."))
		if !defined {
			return "", fmt.Errorf("%s: the environment has no variable %s", shorten(match), quote(strings.TrimPrefix(rest, ".")))
		}
		return val, nil
	default:
		if strings.Trim(head, "0123456789") == "" {
			return "", fmt.Errorf("%s does not say where to look; write a path such as ${{root.with.port}} or ${{this.port}}", shorten(match))
		}
		return match, nil
	}
	for done := head; rest != ""; {
		step := referenceStep.FindStringSubmatch(rest)
		if step == nil {
			return "", fmt.Errorf("%s cannot be read after %s; write a path such as ${{root.with.port}} or ${{root.executors[0].name}}",
				shorten(match), quote(done))
		}
		next, err := at.step(step[1], step[2])
		if err != nil {
			return "", fmt.Errorf("%s: %s %w", shorten(match), shorten(done), err)
		}
		at, rest, done = next, rest[len(step[0]):], done+step[0]
	}
	if at.kind == object {
		return "", fmt.Errorf("%s names an object; a reference takes a single value or a list", shorten(match))
	}
	return at.python(), nil
}

// step goes down one key, or one index when key is empty.
func (v *value) step(key, index string) (*value, error) {
	if key != "" {
		if v.kind != object {
			return nil, fmt.Errorf("is no object with a key %s", quote(key))
		}
		if next := v.at(key); next != nil {
			return next, nil
		}
		keys := make([]string, len(v.entries))
		for i, e := range v.entries {
			keys[i] = e.key
		}
		return nil, fmt.Errorf("has no key %s%s", quote(key), didYouMean(nearest(key, keys)))
	}
	if v.kind != list {
		return nil, fmt.Errorf("is no list with an item [%s]", shorten(index))
	}
	i, err := strconv.Atoi(index)
	if err != nil || i >= len(v.items) {
		return nil, fmt.Errorf("has %d items, counted from 0, and no item [%s]", len(v.items), shorten(index))
	}
	return v.items[i], nil
}

// python writes a value as Python's str does, which is what the original puts in the place of a reference.
func (v *value) python() string {
	switch v.kind {
	case null:
		return "None"
	case boolean:
		if v.boolean {
			return "True"
		}
		return "False"
	case integer:
		return strconv.FormatInt(v.integer, 10)
	case float:
		return pythonFloatText(v.float)
	case list:
		items := make([]string, len(v.items))
		for i, item := range v.items {
			if items[i] = item.python(); item.kind == text {
				items[i] = "'" + items[i] + "'"
			}
		}
		return "[" + strings.Join(items, ", ") + "]"
	case object:
		return "{}"
	default:
		return v.text
	}
}

// pythonFloatText writes f as Python's repr: 1.0, 1e+16, inf.
func pythonFloatText(f float64) string {
	switch abs := math.Abs(f); {
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'g', -1, 64)), "+")
	case math.IsNaN(f):
		return "nan"
	case abs != 0 && (abs < 1e-4 || abs >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, 64)
	default:
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
}

// didYouMean proposes a word at the end of a message, when there is one.
func didYouMean(word string) string {
	if word == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", quote(word))
}
