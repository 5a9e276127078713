package jinajson

import (
	"google.golang.org/protobuf/types/known/structpb"

	"clipd/frontend/jina/pb"
)

// blob reads base64 and decodes it where it lies.
func (p *parser) blob() []byte {
	begin := p.at
	if p.peek() != '"' {
		p.skip()
		p.fail(begin, "str type expected", "type_error.str", "must be a string of base64")
		return nil
	}
	text, escaped := p.raw()
	if escaped {
		text = unescape(text, text)
	}
	bytes, err := decodeBase64(text)
	if err != nil {
		p.note("broken base64", brokenBase64, " is broken base64: "+err.Error())
		return nil
	}
	return bytes
}

// floats reads a list of 32-bit numbers.
func (p *parser) floats() []float32 {
	begin := p.at
	if p.peek() != '[' {
		p.skip()
		p.fail(begin, "value is not a valid list", "type_error.list", "must be a list of numbers")
		return nil
	}
	p.at++
	var list []float32
	i := 0
	for first := true; p.more(first, ']'); first = false {
		p.pushIndex(i)
		list = append(list, float32(p.float(32)))
		p.pop()
		i++
	}
	return list
}

// scores reads an object of named scores.
func (p *parser) scores() map[string]*pb.NamedScoreProto {
	begin := p.at
	if p.peek() != '{' {
		p.skip()
		p.fail(begin, "value is not a valid dict", "type_error.dict", "must be an object of scores")
		return nil
	}
	p.at++
	var scores map[string]*pb.NamedScoreProto
	for first := true; p.more(first, '}'); first = false {
		name := p.keep(p.key())
		if p.isNull() {
			continue
		}
		p.pushKey(name)
		if s := p.score(); s != nil {
			if scores == nil {
				scores = make(map[string]*pb.NamedScoreProto)
			}
			scores[name] = s
		}
		p.pop()
	}
	return scores
}

func (p *parser) score() *pb.NamedScoreProto {
	begin := p.at
	if p.peek() != '{' {
		p.skip()
		p.fail(begin, "value is not a valid dict", "type_error.dict", `must be an object such as {"value": 0.5}`)
		return nil
	}
	p.at++
	s := &pb.NamedScoreProto{}
	for first := true; p.more(first, '}'); first = false {
		key := p.key()
		if p.isNull() {
			continue
		}
		p.pushKey("")
		name := &p.path[len(p.path)-1].key
		switch string(key) {
		case "value":
			*name = "value"
			s.Value = float32(p.float(32))
		case "op_name":
			*name = "op_name"
			s.OpName = p.string()
		case "description":
			*name = "description"
			s.Description = p.string()
		case "ref_id":
			*name = "ref_id"
			s.RefId = p.string()
		default:
			p.skip()
		}
		p.pop()
	}
	return s
}

// tags reads an object as it is; nil when it is empty, as a message without tags is.
func (p *parser) tags() *structpb.Struct {
	fields := p.object()
	if len(fields) == 0 {
		return nil
	}
	return &structpb.Struct{Fields: fields}
}

// object reads an object of any values; nil after a mistake.
func (p *parser) object() map[string]*structpb.Value {
	begin := p.at
	if p.peek() != '{' {
		p.skip()
		p.fail(begin, "value is not a valid dict", "type_error.dict", "must be an object")
		return nil
	}
	p.at++
	fields := make(map[string]*structpb.Value)
	for first := true; p.more(first, '}'); first = false {
		key := p.keep(p.key())
		p.pushKey(key)
		fields[key] = p.any()
		p.pop()
	}
	return fields
}

// any reads a value of any kind. The message and what it holds are one allocation.
func (p *parser) any() *structpb.Value {
	switch p.peek() {
	case '{':
		v := &struct {
			value structpb.Value
			kind  structpb.Value_StructValue
			body  structpb.Struct
		}{}
		v.body.Fields = p.object()
		v.kind.StructValue = &v.body
		v.value.Kind = &v.kind
		return &v.value
	case '[':
		v := &struct {
			value structpb.Value
			kind  structpb.Value_ListValue
			body  structpb.ListValue
		}{}
		p.at++
		for first, i := true, 0; p.more(first, ']'); first, i = false, i+1 {
			p.pushIndex(i)
			v.body.Values = append(v.body.Values, p.any())
			p.pop()
		}
		v.kind.ListValue = &v.body
		v.value.Kind = &v.kind
		return &v.value
	case '"':
		v := &struct {
			value structpb.Value
			kind  structpb.Value_StringValue
		}{}
		v.kind.StringValue = p.string()
		v.value.Kind = &v.kind
		return &v.value
	case 't', 'f':
		v := &struct {
			value structpb.Value
			kind  structpb.Value_BoolValue
		}{}
		v.kind.BoolValue = p.scalar()[0] == 't'
		v.value.Kind = &v.kind
		return &v.value
	case 'n':
		p.scalar()
		return structpb.NewNullValue()
	}
	v := &struct {
		value structpb.Value
		kind  structpb.Value_NumberValue
	}{}
	v.kind.NumberValue = p.float(64)
	v.value.Kind = &v.kind
	return &v.value
}
