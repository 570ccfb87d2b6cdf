package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// sourceForm makes or changes a source.
type sourceForm struct {
	ID          string // empty: a new one
	ETag        string
	Collectors  []offered // to choose from, for a new one
	Collector   string
	Name        string
	Category    string
	HostName    string
	Description string
	Fields      string // name=value, one a line

	RequireAccessKey bool
	Policy           string // keep, quarantine or unsigned: that and lines without a signature
	Keys             string // default, url or inline
	KeysURL          string
	KeySet           string
	RetentionDays    string

	Forward           bool
	Endpoint          string
	SkipTLS           bool
	HasAuthorization  bool // one is kept
	DropAuthorization bool
	authorization     string // never shown again

	Syslog   bool
	Port     string
	Networks string

	Faults formFaults
}

// Policies are the signature policies to choose from.
func (f sourceForm) Policies() []offered {
	return offer(f.Policy,
		"keep", "Keep all lines together, each with its verdict",
		"quarantine", "Set lines apart that do not verify",
		"unsigned", "Set apart those, and lines without a signature")
}

// KeyChoices are where keys can come from.
func (f sourceForm) KeyChoices() []offered {
	return offer(f.Keys, "default", "The server's default", "url", "A key set at a URL", "inline", "A key set given here")
}

// sourceFaults is which field the API's words are about.
func sourceFaults() []faultPlace {
	return []faultPlace{
		{"the name", "name"}, {"name must", "name"}, {"trailhook.jwks.url", "keys_url"}, {"jwks", "key_set"}, {"JWKS", "key_set"},
		{"forwarding.endpoint", "endpoint"}, {"forwarding.authorization", "authorization"}, {"retentionDays", "retention_days"},
		{"network", "networks"}, {"fields", "fields"},
	}
}

func (v *visit) sourceForm() sourceForm {
	ticked := func(name string) bool { return v.form(name) != "" }
	return sourceForm{
		ID: v.r.PathValue("id"), ETag: v.form("etag"), Collector: v.form("collector"),
		Name: v.form("name"), Category: v.form("category"), HostName: v.form("host_name"), Description: v.form("description"), Fields: v.form("fields"),
		RequireAccessKey: ticked("require_access_key"), Policy: v.form("policy"), RetentionDays: v.form("retention_days"),
		Keys: v.form("keys"), KeysURL: v.form("keys_url"), KeySet: v.form("key_set"),
		Forward: v.form("endpoint") != "", Endpoint: v.form("endpoint"), SkipTLS: ticked("skip_tls"),
		HasAuthorization: ticked("has_authorization"), DropAuthorization: ticked("drop_authorization"), authorization: v.form("authorization"),
		Syslog: ticked("syslog"), Port: v.form("port"), Networks: v.form("networks"),
	}
}

// formOf is the form with what a source has.
func formOf(s httpSource) sourceForm {
	own := s.Settings
	f := sourceForm{
		ID: decimal(s.ID), Name: s.Name, Category: s.Category, HostName: s.HostName, Description: string(s.Description), Fields: fieldLines(s.Fields),
		RequireAccessKey: own.RequireAccessKey, Policy: "keep", Keys: "default",
	}
	switch {
	case own.QuarantineUnsigned:
		f.Policy = "unsigned"
	case own.SignaturePolicy == "quarantine":
		f.Policy = "quarantine"
	}
	if own.RetentionDays > 0 {
		f.RetentionDays = strconv.Itoa(own.RetentionDays)
	}
	if own.JWKS != nil && own.JWKS.URL != "" {
		f.Keys, f.KeysURL = "url", own.JWKS.URL
	} else if own.JWKS != nil {
		var shown bytes.Buffer
		json.Indent(&shown, own.JWKS.Keys, "", "  ") // it was JSON when it came
		f.Keys, f.KeySet = "inline", shown.String()
	}
	if to := own.Forwarding; to != nil {
		f.Forward, f.Endpoint, f.SkipTLS, f.HasAuthorization = true, to.Endpoint, to.SkipSSLVerification, to.HasAuthorization
	}
	if own.Syslog != nil {
		f.Syslog, f.Networks = true, strings.Join(own.Syslog.Networks, "\n")
		if own.Syslog.Port > 0 {
			f.Port = strconv.Itoa(own.Syslog.Port)
		}
	}
	return f
}

func fieldLines(fields map[string]string) string {
	var lines []string
	for name, value := range fields {
		lines = append(lines, name+"="+value)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// put writes what the form holds over a source's members. What cannot be put into
// the API's types is a fault of the form.
func (f *sourceForm) put(members map[string]any) map[string]any {
	members["sourceType"], members["name"], members["category"] = "HTTP", f.Name, f.Category
	members["hostName"], members["description"], members["fields"] = f.HostName, f.Description, f.givenFields()
	own := map[string]any{"requireAccessKey": f.RequireAccessKey, "signaturePolicy": "keep", "retentionDays": f.number("retention_days", f.RetentionDays, 3650)}
	if f.Policy != "keep" && f.Policy != "" {
		own["signaturePolicy"], own["quarantineUnsigned"] = "quarantine", f.Policy == "unsigned"
	}
	if keys := f.givenKeys(); keys != nil {
		own["jwks"] = keys
	}
	if f.Endpoint != "" {
		own["forwarding"] = f.givenForwarding()
	}
	if f.Syslog {
		own["syslog"] = map[string]any{"port": f.number("port", f.Port, 65535), "networks": f.givenNetworks()}
	}
	members["trailhook"] = own
	return map[string]any{"source": members}
}

func (f *sourceForm) number(field, text string, most int) int {
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		f.Faults.add(field, "Give a number from 0 to "+countText(most)+".")
	}
	return n
}

func (f *sourceForm) givenFields() map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(f.Fields) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			f.Faults.add("fields", "Give each field on a line of its own, as name=value: \""+line+"\" is none.")
			continue
		}
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

// givenKeys is the key set, or its place; nil for the server's default.
func (f *sourceForm) givenKeys() map[string]any {
	switch f.Keys {
	case "url":
		if f.KeysURL == "" {
			f.Faults.add("keys_url", "Give the URL of the key set, or choose the server's default.")
		}
		return map[string]any{"url": f.KeysURL}
	case "inline":
		var list []json.RawMessage
		var set struct{ Keys []json.RawMessage }
		if json.Unmarshal([]byte(f.KeySet), &list) != nil {
			if err := json.Unmarshal([]byte(f.KeySet), &set); err != nil || set.Keys == nil {
				f.Faults.add("key_set", `Give a JSON Web Key Set: {"keys": […]}, or the list of its keys.`)
			}
			list = set.Keys
		}
		return map[string]any{"keys": list}
	}
	return nil
}

// givenForwarding leaves the authorization as it was, unless another is given, or
// none is to be sent.
func (f *sourceForm) givenForwarding() map[string]any {
	to := map[string]any{"endpoint": f.Endpoint, "skipSslVerification": f.SkipTLS}
	switch {
	case f.authorization != "":
		to["authorization"] = f.authorization
	case f.DropAuthorization:
		to["authorization"] = ""
	}
	return to
}

func (f *sourceForm) givenNetworks() []string {
	list := strings.FieldsFunc(f.Networks, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
	for _, network := range list {
		if _, err := netip.ParsePrefix(network); err != nil {
			f.Faults.add("networks", "\""+network+"\" is no network: give each in the form 10.0.0.0/8.")
		}
	}
	return list
}

func newSource(v *visit) error {
	return v.showSourceForm(sourceForm{Collector: v.query("collector"), Policy: "keep", Keys: "default"})
}

// showSourceForm shows the form, for a new source with the collectors that there
// are.
func (v *visit) showSourceForm(f sourceForm) error {
	if f.ID == "" {
		var list struct{ Collectors []hostedCollector }
		if err := v.get(v.ctx(), siemHalf, "/api/v1/collectors", nil, &list); err != nil {
			return err
		}
		if len(list.Collectors) == 0 {
			return v.redirect("/sources/collectors/new", "A source belongs to a collector: make that first.")
		}
		for _, c := range list.Collectors {
			f.Collectors = append(f.Collectors, offered{decimal(c.ID), c.Name, decimal(c.ID) == f.Collector})
		}
	}
	return v.showStatus("sourceform", f.Faults.status(), f)
}

func (v *visit) sourceRefused(f sourceForm, err error) error {
	if f.Faults, err = refusedForm(err, sourceFaults()); err != nil {
		return err
	}
	return v.showSourceForm(f)
}

func createSource(v *visit) error {
	f := v.sourceForm()
	f.ID = ""
	body := f.put(map[string]any{})
	if f.Faults.any() {
		return v.showSourceForm(f)
	}
	var made struct{ Source httpSource }
	if err := v.send(v.ctx(), siemHalf, http.MethodPost, pathOf("api", "v1", "collectors", f.Collector, "sources"), body, &made); err != nil {
		return v.sourceRefused(f, err)
	}
	return v.redirect("/sources/"+decimal(made.Source.ID), "The source "+f.Name+" is there. Send it a test line, or copy one of the commands below.")
}

func editSource(v *visit) error {
	path, err := v.sourcePath()
	if err != nil {
		return err
	}
	read, err := readTagged[struct{ Source httpSource }](v, path)
	if err != nil {
		return err
	}
	f := formOf(read.Object.Source)
	f.ETag = read.ETag
	return v.showSourceForm(f)
}

func updateSource(v *visit) error {
	f := v.sourceForm()
	path, err := v.sourcePath()
	if err != nil {
		return err
	}
	members, err := v.membersOf(path, "source")
	if err != nil {
		return err
	}
	body := f.put(members)
	if f.Faults.any() {
		return v.showSourceForm(f)
	}
	if err := v.replace(path, f.ETag, body); err != nil {
		return v.sourceRefused(f, err)
	}
	return v.redirect("/sources/"+f.ID, "The source "+f.Name+" was changed.")
}
