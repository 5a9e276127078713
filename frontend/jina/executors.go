package jina

import (
	"fmt"
	"regexp"
	"strings"

	"clipd/engine"
)

// executors are those of one flow, in its order.
type executors struct {
	all    []*Executor
	byName map[string]*Executor // by the names of executors and of their models, folded
}

func newExecutors(all []*Executor) (*executors, error) {
	if len(all) == 0 {
		return nil, fmt.Errorf("BUG: a gateway without executors")
	}
	set := &executors{all: all, byName: make(map[string]*Executor, 2*len(all))}
	for _, x := range all {
		if set.byName[x.name] != nil {
			return nil, fmt.Errorf("BUG: two executors are called %s", x.name)
		}
		set.byName[x.name] = x
	}
	// An executor's name goes before a model's; of two executors of one model the first answers to the model's name.
	for _, x := range all {
		if name := fold(x.modelName); name != "" && set.byName[name] == nil {
			set.byName[name] = x
		}
	}
	return set, nil
}

// fold brings the spellings of a model's name together: ViT-B/32::openai, vit-b-32::OpenAI.
func fold(model string) string {
	return strings.ToLower(strings.ReplaceAll(model, "/", "-"))
}

func (s *executors) find(name string) *Executor {
	if x := s.byName[name]; x != nil {
		return x
	}
	return s.byName[fold(name)]
}

// choose returns the executor that a call names: by its endpoint (/encode/NAME), its parameter model_name, the transport's
// header or the regular expression target_executor, in this order; the first executor when it names none. A flow of one
// executor answers to any name in endpoint and parameter, as the original does.
func (s *executors) choose(c *Call) (*Executor, error) {
	for _, name := range []string{modelOf(c.Request.GetHeader().GetExecEndpoint()), c.Request.GetParameters().GetFields()["model_name"].GetStringValue()} {
		if name == "" || len(s.all) == 1 {
			continue
		}
		if x := s.find(name); x != nil {
			return x, nil
		}
		return nil, s.unknown(name)
	}
	if c.Model != "" {
		if x := s.find(c.Model); x != nil {
			return x, nil
		}
		return nil, s.unknown(c.Model)
	}
	if pattern := c.Request.GetHeader().GetTargetExecutor(); pattern != "" && len(s.all) > 1 {
		matches, err := target(pattern)
		if err != nil {
			return nil, err
		}
		for _, x := range s.all {
			if matches.MatchString(x.name) {
				return x, nil
			}
		}
	}
	return s.all[0], nil
}

func (s *executors) unknown(name string) error {
	known := make([]string, len(s.all))
	for i, x := range s.all {
		known[i] = x.name
		if x.modelName != "" && x.modelName != x.name {
			known[i] += " (" + x.modelName + ")"
		}
	}
	return engine.Errorf(engine.NotFound, "no model is called %q; this server has %s", shorten(name, 80), strings.Join(known, ", "))
}

// modelOf returns NAME of the endpoints /encode/NAME and /rank/NAME, else "".
func modelOf(endpoint string) string {
	for _, prefix := range []string{"/encode/", "/rank/"} {
		if name, found := strings.CutPrefix(endpoint, prefix); found {
			return name
		}
	}
	return ""
}

// maxTarget is the longest target_executor, bytes. Repetitions are written out when an expression is compiled: 7 bytes
// become a thousand instructions of 40 bytes, so that 20 KiB would take 200 MB, before anybody asked for a model.
const maxTarget = 256

// target compiles the regular expression of a request; jina matches it from the beginning of the executor's name.
func target(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxTarget {
		return nil, engine.Errorf(engine.Invalid, "target_executor has %d bytes; it may have %d, and be as short as the name of an executor", len(pattern), maxTarget)
	}
	re, err := regexp.Compile("^(?:" + pattern + ")")
	if err != nil {
		return nil, engine.Errorf(engine.Invalid, "target_executor %q is no regular expression: %v", pattern, err)
	}
	return re, nil
}
