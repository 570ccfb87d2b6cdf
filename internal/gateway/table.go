package gateway

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/trailhook/trailhook/internal/entity"
	"github.com/trailhook/trailhook/internal/recorder"
)

// table is a configuration made ready to serve. It does not change.
type table struct {
	router       *router
	routes       int
	organization string
	region       string
	global       chain // of requests that no route matches
	keys         map[[sha256.Size]byte]*credential
	consumers    map[string]*consumer
	byName       map[string]*consumer
	transports   map[transportKey]bool
	logs         map[string]bool
}

// consumer is who a request was found to come from.
type consumer struct {
	id, username, customID string
	plugins                []plugin // that are for this consumer
}

func (c *consumer) principal(organization string) recorder.Principal {
	p := recorder.Principal{OrgID: organization}
	if c != nil {
		p.ID, p.Name = c.id, c.username
	}
	return p
}

type credential struct {
	entity.Document
	consumer *consumer
}

// service is where a route leads to.
type service struct {
	id, name     string
	scheme, host string // host with the port, where that is not the scheme's
	path         string // empty: /
	retries      int
	transport    *transport
	document     entity.Document
}

// route is a route, whatever path of it a request has matched.
type route struct {
	id, name       string
	service        *service // nil: it leads nowhere
	stripPath      bool
	preserveHost   bool
	flushAtOnce    bool
	onlyHTTPS      bool
	redirectStatus int
	chain          chain // without what is for single consumers
	document       entity.Document
}

// strips reports whether what a route matched of the path is taken away.
func (m match) strips() bool { return m.stripPath && m.prefix != "" }

// label is what a route is called in events.
func (r *route) label() string {
	if r.name != "" {
		return r.name
	}
	return r.id
}

// compile makes a table. What cannot be served is left out and told by err; the
// table is good all the same.
func (g *Gateway) compile(c Configuration) (*table, error) {
	t := &table{
		organization: c.Organization, region: c.Region, keys: map[[sha256.Size]byte]*credential{},
		consumers: map[string]*consumer{}, byName: map[string]*consumer{}, transports: map[transportKey]bool{}, logs: map[string]bool{},
	}
	var errs []error
	for _, d := range c.Entities.All(entity.Consumers) {
		one := &consumer{id: d.ID(), username: d.Text("username"), customID: d.Text("custom_id")}
		t.consumers[one.id] = one
		if one.username != "" {
			t.byName[one.username] = one
		}
	}
	for _, d := range c.Entities.All(entity.KeyAuths) {
		if owner := t.consumers[d.Reference("consumer")]; owner != nil {
			t.keys[sha256.Sum256([]byte(d.Text("key")))] = &credential{d, owner}
		}
	}
	plugins, err := g.compilePlugins(t, c.Entities)
	errs = append(errs, err)
	t.global = choose(plugins, "", "")
	services := map[string]*service{}
	for _, d := range c.Entities.All(entity.Services) {
		if d["enabled"] != false {
			services[d.ID()] = g.compileService(t, d)
		}
	}
	var entries []*entry
	for _, d := range c.Entities.All(entity.Routes) {
		id := d.Reference("service")
		if id != "" && services[id] == nil {
			continue // of a service that is switched off
		}
		one := compileRoute(d, services[id])
		one.chain = choose(plugins, one.id, id)
		made, err := entriesOf(d, one)
		if err != nil {
			errs = append(errs, fmt.Errorf("route %s: %w", one.label(), err))
			continue
		}
		t.routes++
		entries = append(entries, made...)
	}
	t.router = newRouter(entries)
	return t, errors.Join(errs...)
}

func (g *Gateway) compilePlugins(t *table, set *entity.Set) ([]plugin, error) {
	var plugins []plugin
	var errs []error
	for _, d := range set.All(entity.Plugins) {
		if d["enabled"] == false {
			continue
		}
		made, err := g.compilePlugin(d)
		if err != nil {
			errs = append(errs, fmt.Errorf("plugin %s (%s): %w", d.Text("name"), d.ID(), err))
			continue
		}
		if made.http.log != nil {
			t.logs[made.id] = true
		}
		if made.consumer == "" {
			plugins = append(plugins, made)
		} else if owner := t.consumers[made.consumer]; owner != nil {
			owner.plugins = append(owner.plugins, made)
		}
	}
	return plugins, errors.Join(errs...)
}

func (g *Gateway) compileService(t *table, d entity.Document) *service {
	key := transportKey{
		connect: milliseconds(d, "connect_timeout"), read: milliseconds(d, "read_timeout"), write: milliseconds(d, "write_timeout"),
		insecure: d["tls_verify"] == false,
	}
	t.transports[key] = true
	s := &service{
		id: d.ID(), name: d.Text("name"), scheme: d.Text("protocol"), path: d.Text("path"), retries: whole(d, "retries"),
		transport: g.transports.get(key), document: d,
	}
	port, usual := whole(d, "port"), 80
	if s.scheme == "https" {
		usual = 443
	}
	if s.host = d.Text("host"); port != usual {
		s.host = net.JoinHostPort(s.host, strconv.Itoa(port))
	}
	return s
}

func compileRoute(d entity.Document, s *service) *route {
	protocols, _ := d["protocols"].([]any)
	return &route{
		id: d.ID(), name: d.Text("name"), service: s, document: d,
		stripPath: d["strip_path"] == true, preserveHost: d["preserve_host"] == true, flushAtOnce: d["response_buffering"] == false,
		onlyHTTPS:      slices.Contains(protocols, any("https")) && !slices.Contains(protocols, any("http")),
		redirectStatus: whole(d, "https_redirect_status_code"),
	}
}

func whole(d map[string]any, field string) int {
	n, _ := d[field].(float64)
	return int(n)
}

func milliseconds(d map[string]any, field string) time.Duration {
	n, _ := d[field].(float64)
	return time.Duration(n * float64(time.Millisecond))
}

func seconds(d map[string]any, field string) time.Duration {
	n, _ := d[field].(float64)
	return time.Duration(n * float64(time.Second))
}

func texts(value any) []string {
	list, _ := value.([]any)
	out := make([]string, 0, len(list))
	for _, item := range list {
		if text, ok := item.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// decode reads a plugin's config into its form.
func decode(d entity.Document, into any) error {
	text, err := json.Marshal(d["config"])
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
