package flows

import (
	"fmt"
	"regexp"
	"strings"
)

// Variables are replaced in every text of the file, in four rounds like the original's: the first replaces
// environment variables only; the other three also references such as ${{root.with.port}}, which see the values of the
// round before. Every round reads the result again as a value.
const referenceRounds = 3

// maxSubstituted bounds the bytes of all texts that replacing makes, so that references to references cannot grow
// without end.
const maxSubstituted = 4 << 20

// expander replaces the variables of one file.
type expander struct {
	lookupEnv func(string) (string, bool)
	root      *value // values of the round before, for references; nil in the first round
	bytes     int    // of texts made so far
	values    int    // made of texts so far
	errs      Errors
}

// expand replaces the variables in v, in place.
func expand(v *value, lookupEnv func(string) (string, bool)) Errors {
	x := &expander{lookupEnv: lookupEnv}
	x.walk(v, nil)
	for range referenceRounds {
		if len(x.errs) > 0 {
			break
		}
		x.root = v.clone()
		x.walk(v, x.root)
	}
	return x.errs
}

func (x *expander) fail(v *value, format string, args ...any) {
	x.errs = append(x.errs, &Error{v.source, v.line, v.column, fmt.Sprintf(format, args...)})
}

// walk replaces the variables of everything inside of v. before is v in the round before, where ${{this.key}} looks.
func (x *expander) walk(v, before *value) {
	step := func(child *value, childBefore func() *value) {
		switch child.kind {
		case list, object:
			var b *value
			if before != nil {
				b = childBefore()
			}
			x.walk(child, b)
		case text:
			x.replace(child, before)
		}
	}
	for i, item := range v.items {
		step(item, func() *value { return before.items[i] })
	}
	for i, e := range v.entries {
		step(e.value, func() *value { return before.entries[i].value })
	}
}

// replace replaces the variables of one text and reads it again. this is the object or list around it.
func (x *expander) replace(v, this *value) {
	if x.bytes > maxSubstituted {
		return
	}
	s := v.text
	if x.root != nil && reference.MatchString(s) {
		var problem error
		if s, problem = x.references(s, this); problem != nil {
			x.fail(v, "%v", problem)
			return
		}
	} else {
		s = x.environment(s)
	}
	x.bytes += len(s)
	if x.bytes <= maxSubstituted {
		v.reread(s)
		x.values += len(v.items)
	}
	if x.bytes > maxSubstituted || x.values > maxValues {
		x.fail(v, "the values of the file grow beyond %d bytes or %d values when the variables are replaced", maxSubstituted, maxValues)
		x.bytes = maxSubstituted + 1
	}
}

// The notations of variables. One blank must stand inside the braces, as in the original.
var (
	envBraces     = regexp.MustCompile(`\$\{\{\s(?:ENV|env)\.([a-zA-Z0-9_]*)\s\}\}`)
	contextBraces = regexp.MustCompile(`\$\{\{\s(?:(?:CONTEXT|context)\.)?([a-zA-Z0-9_]*)\s\}\}`)
	doubleDollar  = regexp.MustCompile(`\$(\$[a-zA-Z0-9_.]*)`)
	shellVariable = regexp.MustCompile(`\$(?:\w+|\{[^}]*\})`)
)

// environment replaces ${{ ENV.X }}, $X and ${X}. One that is not defined stays as $X. There are no context variables
// on the command line: ${{ CONTEXT.x }} and ${{ x }} become $$x.
func (x *expander) environment(s string) string {
	if !strings.Contains(s, "$") {
		return s
	}
	if envBraces.MatchString(s) {
		s = envBraces.ReplaceAllString(s, "$$$$$1")
		// Only beside ${{ ENV.X }} does $$P mean $P; that is the original's way, and flow files may count on it.
		s = doubleDollar.ReplaceAllString(s, "$1")
	}
	s = contextBraces.ReplaceAllString(s, "$$$$$1")
	return x.shell(s)
}

// shell replaces $X and ${X}; what a variable brings is not read again in this round. The work ends when the text has
// outgrown every bound.
func (x *expander) shell(s string) string {
	var out strings.Builder
	for out.Len() <= maxSubstituted {
		at := shellVariable.FindStringIndex(s)
		if at == nil {
			break
		}
		match := s[at[0]:at[1]]
		name := strings.TrimSuffix(strings.TrimPrefix(match[1:], "{"), "}")
		val, defined := x.lookupEnv(name)
		if !defined || name == "" {
			val = match
		}
		out.WriteString(s[:at[0]])
		out.WriteString(val)
		s = s[at[1]:]
	}
	out.WriteString(s)
	return out.String()
}
