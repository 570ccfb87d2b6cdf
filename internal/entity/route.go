package entity

func routeFields() []Field {
	return append(identity(),
		text("name", isName),
		withDefault(lenMin(setOf("protocols", choice("", "http", "https"))), texts("http", "https")),
		lenMin(setOf("methods", text("", isMethod))),
		lenMin(arrayOf("hosts", text("", isRouteHost))),
		lenMin(arrayOf("paths", text("", isRoutePath))),
		routeHeaders(),
		withDefault(Field{Name: "https_redirect_status_code", Type: Integer, check: isRedirect}, 426.0),
		withDefault(integer("regex_priority", -1<<31, 1<<31-1), 0.0),
		flag("strip_path", true),
		withDefault(choice("path_handling", "v0"), "v0"),
		flag("preserve_host", false),
		flag("request_buffering", true),
		flag("response_buffering", true),
		tagsField(),
		foreign("service", Services),
		unused("snis", SetOf), unused("sources", SetOf), unused("destinations", SetOf),
	)
}

func lenMin(f Field) Field { f.LenMin = 1; return f }

func routeHeaders() Field {
	values := lenMin(arrayOf("", text("", isHeaderMatch)))
	keys := text("", isRouteHeader)
	return Field{Name: "headers", Type: Map, Keys: &keys, Elements: &values}
}

// checkRoute wants something to match by.
func checkRoute(d Document) *Violation {
	for _, field := range []string{"methods", "hosts", "headers", "paths"} {
		switch value := d[field].(type) {
		case []any:
			if len(value) > 0 {
				return nil
			}
		case map[string]any:
			if len(value) > 0 {
				return nil
			}
		}
	}
	return entityViolation("must set one of 'methods', 'hosts', 'headers', 'paths'")
}
