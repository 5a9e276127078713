package flows

import "time"

// defaultBatchingTimeout is jina's.
const defaultBatchingTimeout = 10 * time.Second

var batchingSection = section[DynamicBatching]{name: "uses_dynamic_batching", fields: append([]field[DynamicBatching]{
	intField("preferred_batch_size", 0, 1, 1<<16, "documents to wait for; required", func(b *DynamicBatching) *int { return &b.PreferredBatchSize }),
	timeField("timeout", defaultBatchingTimeout, defaultBatchingTimeout, "10000", "longest wait for them",
		func(b *DynamicBatching) *time.Duration { return &b.Timeout }),
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
