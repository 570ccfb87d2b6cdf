package entity

import (
	"fmt"
	"net/url"
	"strconv"
)

// maxMilliseconds is the longest timeout that Kong takes.
const maxMilliseconds = 1<<31 - 2

func serviceFields() []Field {
	return append(identity(),
		text("name", isName),
		withDefault(choice("protocol", "http", "https"), "http"),
		required(text("host", isHost)),
		withDefault(integer("port", 0, 65535), 80.0),
		text("path", isUpstreamPath),
		withDefault(integer("retries", 0, 32767), 5.0),
		withDefault(integer("connect_timeout", 1, maxMilliseconds), 60000.0),
		withDefault(integer("write_timeout", 1, maxMilliseconds), 60000.0),
		withDefault(integer("read_timeout", 1, maxMilliseconds), 60000.0),
		tagsField(),
		flag("enabled", true),
		Field{Name: "tls_verify", Type: Boolean},
		integer("tls_verify_depth", 0, 64),
		unused("client_certificate", Foreign),
		unused("ca_certificates", Array),
	)
}

// expandURL puts the parts of a service's url, which is not kept, into its
// protocol, host, port and path.
func expandURL(d Document) error {
	value, given := d["url"]
	if !given {
		return nil
	}
	delete(d, "url")
	if value == nil {
		return nil
	}
	address, _ := value.(string)
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return violationOf("url", "invalid url: expected http(s)://host[:port][/path]")
	}
	d["protocol"], d["host"], d["path"] = u.Scheme, u.Hostname(), nil
	if path := u.EscapedPath(); path != "" {
		d["path"] = path
	}
	d["port"] = map[string]any{"https": 443.0, "http": 80.0}[u.Scheme]
	if port := u.Port(); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil {
			return violationOf("url", fmt.Sprintf("invalid port: %s", port))
		}
		d["port"] = float64(n)
	}
	return nil
}
