package flows

import "time"

// draft is an executor while its parts are gathered from the places where a flow file may put them.
type draft struct {
	Executor
	class    *value            // jtype
	with     *value            // arguments of the encoder
	usesWith *value            // the same, stronger
	modules  []*value          // py_modules
	needs    *value            // names of executors before this one
	at       map[string]*value // encoder arguments that the file gives, by key
	foreign  bool              // is no CLIP encoder, and that was said
	hub      Backend           // named by uses: jinahub://CLIPTorchEncoder; "" = no
	external bool
}

var executorSection = section[draft]{name: "executors", fields: append([]field[draft]{
	{name: "name", typ: "identifier", def: "executor0, …", doc: "name in routes, metrics and parameters; each once", read: readExecutorName},
	{name: "uses", typ: "object, class, or path of a YAML file", doc: "the encoder (below)",
		read: func(r *reader, d *draft, v *value) { r.uses(d, v) }},
	{name: "uses_with", typ: "object", doc: "arguments of the encoder (below), stronger than those under `uses: with:`", inherited: true,
		read: func(_ *reader, d *draft, v *value) { d.usesWith = v }},
	{name: "uses_metas", typ: "object", doc: "the same as `uses: metas:`", inherited: true,
		read: func(r *reader, d *draft, v *value) { readSection(r, &metasSection, v, d, nil) }},
	modulesField().byDefault(),
	intField("replicas", 1, 1, 1024, "copies of the model, each on GPUs or cores of its own; may also stand under `uses`", func(d *draft) *int { return &d.Replicas }).byDefault(),
	timeField("timeout_ready", 10*time.Minute, -1, "600000", "longest wait until the model is loaded",
		func(d *draft) *time.Duration { return &d.TimeoutReady }).byDefault(),
	envField("environment variables, such as `CUDA_VISIBLE_DEVICES: RR`", func(d *draft) *map[string]string { return &d.Env }).byDefault(),
	batchingField("uses_dynamic_batching").byDefault(),
	{name: "needs", typ: "text or list", doc: "names of executors before this one; checked, otherwise without meaning",
		read: func(_ *reader, d *draft, v *value) { d.needs = v }},
	{name: "external", typ: "true or false", def: "false", doc: "`true` is refused: the model runs in this server",
		read: func(r *reader, d *draft, v *value) {
			if external, ok := r.boolean("external", v); ok && external {
				d.external = true
				r.fail(v, "external: true leaves the model to another server; this server runs its models itself, so remove the executor or the key")
			}
		}},
}, ignoredExecutorFields()...)}

func ignoredExecutorFields() []field[draft] {
	var all []field[draft]
	for _, group := range [][]field[draft]{
		ignoredFields[draft](whyOneProcess, "port", "ports", "port_in", "protocol", "protocols", "host", "host_in", "tls", "timeout_ctrl", "timeout_send",
			"retries", "compression", "grpc_server_options", "grpc_channel_options", "grpc_metadata", "uvicorn_kwargs", "ssl_certfile",
			"ssl_keyfile", "cors", "title", "description", "runtime_cls", "shard_id", "replica_id", "pod_role", "noblock_on_start",
			"deployment_role", "connection_list", "exit_on_exceptions", "allow_concurrent", "native", "uses_before_address", "uses_after_address"),
		ignoredFields[draft]("has no meaning here: every request is answered by one replica of the encoder.", "shards", "polling", "method", "floating",
			"when", "uses_before", "uses_after", "no_reduce", "disable_reduce", "uses_requests"),
		ignoredFields[draft]("has no meaning here: the metrics of all executors are on the port_monitoring of the server.", "monitoring", "port_monitoring"),
		ignoredFields[draft](whyTelemetry, "tracing", "traces_exporter_host", "traces_exporter_port", "metrics", "metrics_exporter_host",
			"metrics_exporter_port"),
		ignoredFields[draft](whyLogs, "log_config", "quiet", "quiet_error", "suppress_root_logging"),
		ignoredFields[draft](whyPython, "install_requirements", "reload", "extra_search_paths", "force_update", "force", "prefer_platform"),
		ignoredFields[draft](whyCosmetic, "workspace", "workspace_id", "output_array_type", "jtype", "version", "proxy"),
		ignoredFields[draft](whyDeployment, "k8s_namespace", "env_from_secret", "image_pull_secrets", "provider", "provider_endpoint"),
		ignoredFields[draft](whyNoContainer, "volumes", "gpus", "docker_kwargs", "entrypoint", "disable_auto_volume", "force_network_mode"),
		ignoredFields[draft](whyNoCluster, "stateful", "peer_ports", "raft_configuration"),
	} {
		all = append(all, group...)
	}
	return all
}

// usesSection is the object under uses. What CLIP-as-service's documentation calls "under uses" is taken here as well.
var usesSection = section[draft]{name: "uses", fields: append([]field[draft]{
	{name: "jtype", typ: "`CLIPEncoder`", doc: "class of the executor; the YAML tag `!CLIPEncoder` says the same",
		read: func(_ *reader, d *draft, v *value) { d.class = v }},
	{name: "with", typ: "object", doc: "arguments of the encoder (below)", read: func(_ *reader, d *draft, v *value) { d.with = v }},
	{name: "metas", typ: "object", doc: "`py_modules` and the executor's metadata",
		read: func(r *reader, d *draft, v *value) { readSection(r, &metasSection, v, d, nil) }},
	modulesField(),
	batchingField("dynamic_batching"),
	intField("replicas", 1, 1, 1024, "the same as beside `uses`, which goes before", func(d *draft) *int { return &d.Replicas }),
	timeField("timeout_ready", 10*time.Minute, -1, "600000", "the same as beside `uses`, which goes before",
		func(d *draft) *time.Duration { return &d.TimeoutReady }),
	envField("the same as beside `uses`, which goes before", func(d *draft) *map[string]string { return &d.Env }),
}, append(ignoredFields[draft](whyCosmetic, "name", "description", "workspace", "version"),
	ignoredFields[draft]("has no meaning here: /rank ranks and every other endpoint encodes.", "requests")...)...)}

// metasSection is the object under uses: metas.
var metasSection = section[draft]{name: "metas", fields: append([]field[draft]{modulesField()},
	ignoredFields[draft](whyCosmetic, "name", "description", "workspace", "config_loader", "url", "keywords")...)}

func modulesField() field[draft] {
	return field[draft]{name: "py_modules", typ: "text or list",
		doc:  "the Python module of the encoder, which chooses the backend: `clip_torch`, `clip_onnx`, `clip_trt` or `clip_tensorrt`",
		read: func(_ *reader, d *draft, v *value) { d.modules = append(d.modules, v.oneOrMore()...) }}
}

func readExecutorName(r *reader, d *draft, v *value) {
	name, ok := r.text("name", v)
	if !ok {
		return
	}
	if !identifier.MatchString(name) || name == "gateway" {
		r.fail(v, "name is an identifier (letters, digits and _, no digit first) other than gateway, not %s", v.describe())
		return
	}
	d.Name = name
}
