package entity

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// pluginSchema is what there is to know of a plugin.
type pluginSchema struct {
	config      []Field
	notConsumer bool // it runs before it is known who calls
	check       func(config Document) *Violation
}

// The plugins.
const (
	KeyAuth            = "key-auth"
	RateLimiting       = "rate-limiting"
	HTTPLog            = "http-log"
	CORS               = "cors"
	RequestTermination = "request-termination"
	Audit              = "audit"
)

func pluginSchemas() map[string]pluginSchema {
	return map[string]pluginSchema{
		KeyAuth:            {config: keyAuthConfig(), notConsumer: true},
		RateLimiting:       {config: rateLimitingConfig(), check: checkRateLimits},
		HTTPLog:            {config: httpLogConfig()},
		CORS:               {config: corsConfig(), notConsumer: true},
		RequestTermination: {config: requestTerminationConfig(), check: checkTermination},
		Audit:              {config: auditConfig()},
	}
}

// PluginNames are the plugins that there are.
func PluginNames() []string { return slices.Sorted(maps.Keys(pluginSchemas())) }

// PluginFields are the fields of a plugin with its own config; ok tells whether
// there is such a plugin.
func PluginFields(name string) (fields []Field, ok bool) {
	schema, ok := pluginSchemas()[name]
	if !ok {
		return nil, false
	}
	fields = pluginFields()
	for i := range fields {
		if fields[i].Name == "config" {
			fields[i].Fields = schema.config
		}
	}
	return fields, true
}

func pluginFields() []Field {
	protocols := choice("", "grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp", "ws", "wss")
	return append(identity(),
		required(text("name", notEmpty)),
		text("instance_name", isName),
		flag("enabled", true),
		withDefault(lenMin(setOf("protocols", protocols)), texts("grpc", "grpcs", "http", "https")),
		foreign("service", Services), foreign("route", Routes), foreign("consumer", Consumers),
		unused("consumer_group", Foreign), unused("ordering", Record), unused("partials", Array), unused("condition", String),
		Field{Name: "config", Type: Record, Required: true},
		tagsField(),
	)
}

func checkPlugin(d Document) *Violation {
	schema := pluginSchemas()[d.Text("name")]
	if schema.notConsumer && d["consumer"] != nil {
		return violationOf("consumer", "value must be null")
	}
	config, _ := d["config"].(map[string]any)
	if schema.check == nil {
		return nil
	}
	if v := schema.check(config); v != nil {
		return schemaViolation(map[string]any{"config": v.Fields})
	}
	return nil
}

func headerNames(name string) Field { return arrayOf(name, text("", isHeaderName)) }

func keyAuthConfig() []Field {
	return []Field{
		withDefault(lenMin(headerNames("key_names")), texts("apikey")),
		flag("hide_credentials", false),
		text("anonymous", notEmpty),
		flag("key_in_header", true), flag("key_in_query", true), flag("key_in_body", false),
		flag("run_on_preflight", true),
		text("realm", notEmpty),
	}
}

// Windows of rate-limiting, the shortest first.
var limitWindows = [...]string{"second", "minute", "hour", "day", "month", "year"}

// RateWindows are the fields of rate-limiting's config that hold limits.
func RateWindows() []string { return limitWindows[:] }

func rateLimitingConfig() []Field {
	var fields []Field
	for _, window := range limitWindows {
		fields = append(fields, integer(window, 1, 1<<53))
	}
	return append(fields,
		withDefault(choice("limit_by", "consumer", "credential", "ip", "service", "header", "path"), "consumer"),
		text("header_name", isHeaderName),
		text("path", isUpstreamPath),
		withDefault(choice("policy", "local"), "local"),
		flag("fault_tolerant", true), flag("hide_client_headers", false),
		withDefault(integer("error_code", 100, 599), 429.0),
		withDefault(text("error_message", notEmpty), "API rate limit exceeded"),
		withDefault(number("sync_rate", -1, 1<<31), -1.0),
	)
}

func checkRateLimits(config Document) *Violation {
	least, set := "", 0.0
	for _, window := range limitWindows {
		limit, ok := config[window].(float64)
		if !ok {
			continue
		}
		if least != "" && limit < set {
			return entityViolation(fmt.Sprintf("The limit for %s(%.1f) cannot be lower than the limit for %s(%.1f)", window, limit, least, set))
		}
		least, set = window, limit
	}
	switch {
	case least == "":
		return entityViolation("at least one of these fields must be non-empty: 'config.second', 'config.minute', 'config.hour', 'config.day', 'config.month', 'config.year'")
	case config["limit_by"] == "header" && config["header_name"] == nil:
		return violationOf("header_name", "required field missing")
	case config["limit_by"] == "path" && config["path"] == nil:
		return violationOf("path", "required field missing")
	}
	return nil
}

func httpLogConfig() []Field {
	values := text("", isHeaderValue)
	keys := text("", isHeaderName)
	return []Field{
		required(text("http_endpoint", isEndpoint)),
		withDefault(choice("method", "POST"), "POST"),
		withDefault(choice("content_type", "application/json", "application/json; charset=utf-8"), "application/json"),
		withDefault(integer("timeout", 1, maxMilliseconds), 10000.0),
		withDefault(integer("keepalive", 1, maxMilliseconds), 60000.0),
		{Name: "headers", Type: Map, Keys: &keys, Elements: &values},
		{Name: "queue", Type: Record, Required: true, Fields: []Field{
			withDefault(integer("max_batch_size", 1, 10_000), 1.0),
			withDefault(number("max_coalescing_delay", 0, 3600), 1.0),
			withDefault(integer("max_entries", 1, 1_000_000), 10_000.0),
			integer("max_bytes", 1, 1<<40),
			withDefault(number("max_retry_time", 0, 1_000_000), 60.0),
			withDefault(number("initial_retry_delay", 0.001, 1_000_000), 0.01),
			withDefault(number("max_retry_delay", 0.001, 1_000_000), 60.0),
			withDefault(Field{Name: "concurrency_limit", Type: Integer, Between: []float64{1, 1}}, 1.0),
		}},
		unused("retry_count", Integer), unused("queue_size", Integer), unused("flush_timeout", Number), unused("custom_fields_by_lua", Map),
	}
}

func corsConfig() []Field {
	all := texts("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT")
	return []Field{
		arrayOf("origins", text("", isOrigin)),
		headerNames("headers"), headerNames("exposed_headers"),
		withDefault(arrayOf("methods", choice("", "GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT")), all),
		number("max_age", 0, 1<<31),
		flag("credentials", false), flag("private_network", false), flag("preflight_continue", false), flag("allow_origin_absent", true),
	}
}

func requestTerminationConfig() []Field {
	return []Field{
		withDefault(integer("status_code", 100, 599), 503.0),
		text("message", nil), text("content_type", isHeaderValue), text("body", nil),
		flag("echo", false), text("trigger", isHeaderName),
	}
}

func checkTermination(config Document) *Violation {
	_, message := config["message"].(string)
	_, contentType := config["content_type"].(string)
	_, body := config["body"].(string)
	switch {
	case message && (contentType || body):
		return entityViolation("only one of 'message' and 'content_type' with 'body' may be set")
	case contentType && !body:
		return violationOf("body", "required field missing")
	case config["status_code"].(float64) < 200:
		return violationOf("status_code", "value should be between 200 and 599")
	}
	return nil
}

// auditConfig is of our own plugin: what passes is recorded as audit events.
func auditConfig() []Field { return []Field{flag("blocking", true)} }

func unknownPlugin(name string) string {
	return fmt.Sprintf("plugin '%s' is not there; choose from %s", name, strings.Join(PluginNames(), ", "))
}
