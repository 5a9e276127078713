package flows

import "time"

// defaultBatchingTimeout is jina's.
const defaultBatchingTimeout = 10 * time.Second

var batchingSection = section[DynamicBatching]{name: "uses_dynamic_batching", fields: append([]field[DynamicBatching]{
	intField("preferred_batch_size", 0, 1, 1<<16, "documents to wait for", func(b *DynamicBatching) *int { return &b.PreferredBatchSize }).required(),
	{name: "timeout", typ: "0 to 600000 milliseconds", def: "10000", doc: "longest wait for them",
		setDef: func(b *DynamicBatching) { b.Timeout = defaultBatchingTimeout },
		read: func(r *reader, b *DynamicBatching, v *value) {
			if ms, ok := r.integer("timeout", "milliseconds", v, 0, 600_000); ok {
				b.Timeout = time.Duration(ms) * time.Millisecond
			}
		}},
}, ignoredFields[DynamicBatching]("has no meaning here: a batch is measured in documents and never exceeds the minibatch_size.",
	"flush_all", "custom_metric", "use_custom_metric")...)}

// batchingField takes {/endpoint: {preferred_batch_size: 32, timeout: 5}}.
func batchingField(name string) field[draft] {
	return field[draft]{name: name, typ: "object", doc: "merge requests of several callers: endpoint -> `{preferred_batch_size: 32, timeout: 5}`",
		read: func(r *reader, d *draft, v *value) {
			if v.kind != object {
				r.fail(v, "%s is an object such as {/encode: {preferred_batch_size: 32, timeout: 5}}, not %s", name, v.describe())
				return
			}
			d.DynamicBatching = map[string]DynamicBatching{}
			for _, e := range v.entries {
				var b DynamicBatching
				batchingSection.setDefaults(&b)
				found := readSection(r, &batchingSection, e.value, &b, nil)
				if found["preferred_batch_size"] == nil && e.value.kind == object {
					r.failAt(v, e.line, e.column, "%s: %s needs a preferred_batch_size", name, quote(e.key))
				}
				d.DynamicBatching[e.key] = b
			}
		}}
}
