package rest

import "math"

// types is the schema of a value of one of the types.
func types(names ...string) object {
	if len(names) == 1 {
		return object{"type": names[0]}
	}
	return object{"type": names}
}

// with adds a description, or anything else, to a schema.
func with(schema object, keys ...any) object {
	out := object{}
	for k, v := range schema {
		out[k] = v
	}
	for i := 0; i < len(keys); i += 2 {
		out[keys[i].(string)] = keys[i+1]
	}
	return out
}

func list(items object) object { return object{"type": "array", "items": items} }

func orNull(schema object) object { return object{"anyOf": []object{schema, {"type": "null"}}} }

// needs is an object of properties all of which are always there.
func needs(properties object) object {
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	return object{"type": "object", "properties": properties, "required": names}
}

// schemas are the components of the OpenAPI document.
func schemas() object {
	return object{
		"Request": requestSchema(), "Document": documentSchema(), "Score": scoreSchema(), "Array": arraySchema(),
		"Answer": answerSchema(), "AnswerDocument": answerDocumentSchema(), "Status": statusSchema(), "Route": routeSchema(),
		"Failure": failureSchema(), "Error": errorSchema(), "Invalid": invalidSchema(),
		"TooLarge": object{"anyOf": []object{ref("Error"), ref("Invalid")}},
		"Readiness": needs(object{
			"code":        object{"enum": []int{0, 1}, "description": "0: requests are answered."},
			"description": types("string"), "exception": types("null"),
		}),
		"Info": needs(object{
			"jina": object{"type": "object", "additionalProperties": types("string")},
			"envs": object{"type": "object", "additionalProperties": types("string")},
		}),
	}
}

// text is a string; a number counts as its digits.
func text(about string) object { return with(types("string", "number", "null"), "description", about) }

func requestSchema() object {
	format := object{"enum": []any{"float", "base64", nil}, "description": "`base64`: embeddings as base64 of little-endian float32."}
	return object{
		"type": "object",
		"properties": object{
			"data": object{
				"description": "The documents.",
				"anyOf": []object{
					list(ref("Document")),
					{"type": "object", "properties": object{"docs": orNull(list(ref("Document")))}},
					{"type": "null"},
				},
			},
			"parameters": object{
				"type": []string{"object", "null"},
				"description": "`access_paths`: which documents to encode, such as `@r` or `@c`. `drop_image_content`: pictures do not come back. " +
					"`minibatch_size`: the most documents in a batch. `model_name`: the model. `priority`: `high` or `normal`. " +
					"`timeout`: seconds that the answer may take. Others are ignored.",
			},
			"execEndpoint": text("The endpoint, for `/post`: `/` unless it is there."), "exec_endpoint": text("Another name of `execEndpoint`."),
			"targetExecutor":  text("A regular expression: only executors whose names begin with a match work on the documents."),
			"target_executor": text("Another name of `targetExecutor`."),
			"encoding_format": format, "encodingFormat": format,
		},
	}
}

func documentSchema() object {
	number := float32Schema("number", "null")
	count := object{"type": []string{"integer", "null"}, "minimum": 0, "maximum": uint32(math.MaxUint32)}
	documents := orNull(list(ref("Document")))
	return object{
		"type":        "object",
		"description": "A text when `text` is not empty, else a picture by `tensor`, `blob` or `uri`.",
		"properties": object{
			"id": text("Comes back; 32 hexadecimal digits when it is missing."), "parent_id": text(""), "granularity": count, "adjacency": count,
			"blob":   object{"type": []string{"string", "null"}, "format": "byte", "description": "A picture file in base64."},
			"tensor": with(orNull(ref("Array")), "description", "Pixels: rows, columns, and channels if there are any."), "mime_type": text(""),
			"text": text("A text."), "weight": number, "uri": text("Where the picture is, such as a `data:` URI."),
			"tags": types("object", "null"), "offset": number,
			"location": orNull(list(float32Schema("number"))),
			"embedding": object{"anyOf": []object{
				ref("Array"), {"type": "string", "format": "byte", "description": "Base64 of little-endian float32."}, {"type": "null"},
			}},
			"modality": text(""), "evaluations": orNull(object{"type": "object", "additionalProperties": orNull(ref("Score"))}),
			"scores": orNull(object{"type": "object", "additionalProperties": orNull(ref("Score"))}),
			"chunks": documents, "matches": documents,
		},
	}
}

// float32Schema is a number that becomes a finite float32 when it is rounded.
func float32Schema(names ...string) object {
	const end = 1<<128 - 1<<103 // halfway from the largest float32 to what would follow it; its shortest decimal form is just below
	return with(types(names...), "minimum", -float64(end), "maximum", float64(end))
}

func scoreSchema() object {
	return object{"type": "object", "properties": object{
		"value":   float32Schema("number", "null"),
		"op_name": text(""), "description": text(""), "ref_id": text(""),
	}}
}

func arraySchema() object {
	return object{
		"type": "array", "description": "Lists of numbers in lists, all lists of a depth of the same length.",
		"items": object{"anyOf": []object{types("number"), types("boolean"), ref("Array")}},
	}
}

func answerSchema() object {
	return needs(object{
		"header":     headerSchema(orNull(ref("Status"))),
		"parameters": with(types("object"), "description", "As they came; numbers are floats."),
		"routes":     with(list(ref("Route")), "description", "Where the time went: the gateway, the executor within it, and the executor's stages."),
		"data":       with(list(ref("AnswerDocument")), "description", "The documents, in their order."),
	})
}

func headerSchema(status object) object {
	return needs(object{"requestId": types("string"), "status": status, "execEndpoint": types("string"), "targetExecutor": types("string")})
}

func answerDocumentSchema() object {
	word, number := types("string", "null"), types("number", "null")
	scores := orNull(object{"type": "object", "additionalProperties": ref("Score")})
	documents := orNull(list(ref("AnswerDocument")))
	return needs(object{
		"id":        with(word, "description", "null only when the request failed, or no executor was its target, and the document came without one."),
		"parent_id": word, "granularity": types("integer", "null"), "adjacency": types("integer", "null"),
		"blob": with(word, "description", "Base64."), "tensor": orNull(ref("Array")), "mime_type": word, "text": word, "weight": number, "uri": word,
		"tags": types("object", "null"), "offset": number, "location": orNull(list(types("number"))),
		"embedding": object{
			"description": "Numbers, or with `encoding_format` = `base64` base64 of little-endian float32.",
			"anyOf":       []object{ref("Array"), types("string"), types("null")},
		},
		"modality": word, "evaluations": scores, "scores": scores, "chunks": documents, "matches": documents,
	})
}

func statusSchema() object {
	return needs(object{
		"code": object{"enum": []int{0, 1}, "description": "1: the request failed."}, "description": types("string"),
		"exception": orNull(needs(object{
			"name": types("string"), "args": list(types("string")), "stacks": list(types("string")), "executor": types("string"),
		})),
	})
}

func routeSchema() object {
	when := object{"type": "string", "format": "date-time"}
	return needs(object{"executor": types("string"), "startTime": when, "endTime": when, "status": orNull(ref("Status"))})
}

// failureSchema is that of exchanges that failed as a whole.
func failureSchema() object {
	return needs(object{
		"header": headerSchema(needs(object{
			"code": object{"const": 1}, "description": with(types("string"), "description", "What is in the way."), "exception": types("null"),
		})),
		"parameters": types("object"), "routes": types("null"), "data": types("null"),
	})
}

func errorSchema() object {
	return needs(object{"detail": with(types("string"), "description", "What is wrong, in a sentence.")})
}

func invalidSchema() object {
	return needs(object{"detail": list(object{
		"type": "object", "required": []string{"loc", "msg", "type"},
		"properties": object{
			"loc": with(list(types("string", "integer")), "description", "Where: the way through the body."),
			"msg": types("string"), "type": types("string"),
		},
	})})
}
