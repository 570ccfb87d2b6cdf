package gateway

import (
	"cmp"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/trailhook/trailhook/internal/entity"
)

// An entry is a route with one of its paths. Of all entries that a request
// matches, the first in this order has it:
//
//  1. more kinds of attributes to match by: host, headers, path, methods; of as
//     many kinds, host before headers before path before methods;
//  2. a wildcard host with a port, then plain hosts only, then others;
//  3. a path that is a regular expression before a prefix;
//  4. more headers;
//  5. a higher regex_priority, among regular expressions;
//  6. a longer path;
//  7. older, and at last by id.
//
// 2 and 3 are one number, as in Kong: a regular expression weighs less than
// either.
type entry struct {
	route    *route
	place    int // in the order above
	hosts    []hostRule
	prefix   string         // of the path; empty: any, or pattern
	pattern  *regexp.Regexp // of the path
	methods  []string
	headers  []headerRule
	kinds    int
	bits     int
	weight   int
	priority int
	created  float64
}

// What a route can match by, as weights.
const (
	byMethod = 1 << iota
	byPath
	byHeaders
	byHost
)

// What matters among those that match by the same.
const (
	regexPath = 1 << iota
	plainHosts
	wildcardPort
)

// hostRule is one of a route's hosts.
type hostRule struct {
	plain          string // the whole host, with the port where the rule has one
	prefix, suffix string // of a wildcard: what is before and after it
	port           string // of a wildcard; empty: any
}

// headerRule is a header and what it may be.
type headerRule struct {
	name    string
	values  []string       // in lower case
	pattern *regexp.Regexp // instead
}

// router finds the entry of a request. Entries are found by a host and a prefix
// of the path, so that a request looks at few of many.
type router struct {
	index   map[indexKey][]*entry // each in the order of their places
	lengths []int                 // of prefixes, the longest first; the last is 0
	ports   bool                  // some host has a port
}

// indexKey is a plain host and a prefix of the path; empty: any.
type indexKey struct{ host, prefix string }

func newRouter(entries []*entry) *router {
	slices.SortStableFunc(entries, compareEntries)
	r := &router{index: map[indexKey][]*entry{}, lengths: []int{0}}
	for i, e := range entries {
		e.place = i
		if !slices.Contains(r.lengths, len(e.prefix)) {
			r.lengths = append(r.lengths, len(e.prefix))
		}
		for _, host := range e.indexHosts() {
			at := indexKey{host, e.prefix}
			r.index[at] = append(r.index[at], e)
			r.ports = r.ports || strings.Contains(host, ":")
		}
		r.ports = r.ports || slices.ContainsFunc(e.hosts, func(h hostRule) bool { return h.port != "" })
	}
	slices.Sort(r.lengths)
	slices.Reverse(r.lengths)
	return r
}

func compareEntries(a, b *entry) int {
	return cmp.Or(
		cmp.Compare(b.kinds, a.kinds), cmp.Compare(b.bits, a.bits), cmp.Compare(b.weight, a.weight), cmp.Compare(len(b.headers), len(a.headers)),
		cmp.Compare(b.priority, a.priority), cmp.Compare(len(b.prefix), len(a.prefix)),
		cmp.Compare(a.created, b.created), cmp.Compare(a.route.id, b.route.id),
	)
}

// indexHosts are the hosts under which an entry is found: its own where all are
// plain.
func (e *entry) indexHosts() []string {
	var hosts []string
	for _, h := range e.hosts {
		if h.plain == "" {
			return []string{""}
		}
		if !slices.Contains(hosts, h.plain) {
			hosts = append(hosts, h.plain)
		}
	}
	if len(hosts) == 0 {
		return []string{""}
	}
	return hosts
}

// entriesOf makes the entries of a route: one for each of its paths.
func entriesOf(d entity.Document, to *route) ([]*entry, error) {
	common := entry{route: to, methods: texts(d["methods"])}
	common.created, _ = d["created_at"].(float64)
	for _, host := range texts(d["hosts"]) {
		common.hosts = append(common.hosts, newHostRule(host))
	}
	headers, _ := d["headers"].(map[string]any)
	for name, values := range headers {
		rule, err := newHeaderRule(name, texts(values))
		if err != nil {
			return nil, err
		}
		common.headers = append(common.headers, rule)
	}
	paths := texts(d["paths"])
	if len(paths) == 0 {
		common.rank()
		return []*entry{&common}, nil
	}
	var list []*entry
	for _, path := range paths {
		e := common
		if pattern, ok := strings.CutPrefix(path, "~"); ok {
			compiled, err := regexp.Compile("^(?:" + pattern + ")")
			if err != nil {
				return nil, err
			}
			e.pattern, e.priority = compiled, whole(d, "regex_priority")
		} else {
			e.prefix = normalPath(path)
		}
		e.rank()
		list = append(list, &e)
	}
	return list, nil
}

// rank finds what an entry is compared by.
func (e *entry) rank() {
	for bit, has := range map[int]bool{
		byMethod: len(e.methods) > 0, byPath: e.prefix != "" || e.pattern != nil, byHeaders: len(e.headers) > 0, byHost: len(e.hosts) > 0,
	} {
		if has {
			e.bits |= bit
			e.kinds++
		}
	}
	if e.pattern != nil {
		e.weight |= regexPath
	}
	if len(e.hosts) > 0 && !slices.ContainsFunc(e.hosts, func(h hostRule) bool { return h.plain == "" }) {
		e.weight |= plainHosts
	}
	if slices.ContainsFunc(e.hosts, func(h hostRule) bool { return h.port != "" }) {
		e.weight |= wildcardPort
	}
}

func newHostRule(text string) hostRule {
	text = strings.ToLower(text)
	host, port := text, ""
	if name, number, err := net.SplitHostPort(text); err == nil {
		host, port = name, number
	}
	if before, after, wild := strings.Cut(host, "*"); wild {
		return hostRule{prefix: before, suffix: after, port: port}
	}
	if port == "" {
		text = strings.Trim(text, "[]")
	}
	return hostRule{plain: text}
}

func newHeaderRule(name string, values []string) (headerRule, error) {
	rule := headerRule{name: http.CanonicalHeaderKey(name)}
	if len(values) == 1 {
		if pattern, ok := strings.CutPrefix(values[0], "~*"); ok {
			var err error
			rule.pattern, err = regexp.Compile("(?i)" + pattern)
			return rule, err
		}
	}
	for _, value := range values {
		rule.values = append(rule.values, strings.ToLower(value))
	}
	return rule, nil
}

// asked is what a request is matched by.
type asked struct {
	method   string
	hostname string // in lower case, without the port
	hostPort string // with the port, where any route wants one; else as hostname
	port     string
	path     string // in its normal form
	header   http.Header
}

func (r *router) asked(request *http.Request, secure bool) asked {
	a := asked{method: request.Method, path: normalPath(request.URL.EscapedPath()), header: request.Header}
	host := strings.ToLower(request.Host)
	a.hostname = host
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && !strings.HasSuffix(host, "]") {
		a.hostname, a.port = strings.TrimSuffix(strings.TrimPrefix(host[:colon], "["), "]"), host[colon+1:]
	}
	if strings.HasSuffix(host, "]") {
		a.hostname = strings.Trim(host, "[]")
	}
	a.hostname = strings.TrimSuffix(a.hostname, ".")
	a.hostPort = a.hostname
	if !r.ports {
		return a
	}
	if a.port == "" {
		a.port = "80"
		if secure {
			a.port = "443"
		}
	}
	a.hostPort = net.JoinHostPort(a.hostname, a.port)
	return a
}

// match is a route that was found, and how its path was.
type match struct {
	*route
	prefix string // what of the path the route matched
	rest   string // what comes after
}

// find returns the match of a request; the zero match for none.
func (r *router) find(a asked) match {
	found := r.look(&a, "", nil)
	if a.hostname != "" {
		found = r.look(&a, a.hostname, found)
	}
	if a.hostPort != a.hostname {
		found = r.look(&a, a.hostPort, found)
	}
	if found == nil {
		return match{}
	}
	end := len(found.prefix)
	if found.pattern != nil {
		end = found.pattern.FindStringIndex(a.path)[1]
	}
	return match{found.route, a.path[:end], a.path[end:]}
}

// look returns the entry that a request matches under a host, or the one that
// was found before where that comes first.
func (r *router) look(a *asked, host string, found *entry) *entry {
	for _, n := range r.lengths {
		if n > len(a.path) {
			continue
		}
		for _, e := range r.index[indexKey{host, a.path[:n]}] {
			if found != nil && e.place > found.place {
				break
			}
			if e.matches(a) {
				found = e
				break
			}
		}
	}
	return found
}

func (e *entry) matches(a *asked) bool {
	if len(e.methods) > 0 && !slices.Contains(e.methods, a.method) {
		return false
	}
	if len(e.hosts) > 0 && !slices.ContainsFunc(e.hosts, a.isAt) {
		return false
	}
	for i := range e.headers {
		if !e.headers[i].matches(a.header) {
			return false
		}
	}
	return e.pattern == nil || e.pattern.MatchString(a.path)
}

// isAt reports whether the request's host is one of the rule's.
func (a *asked) isAt(h hostRule) bool {
	if h.plain != "" {
		return h.plain == a.hostname || h.plain == a.hostPort
	}
	return (h.port == "" || h.port == a.port) && len(a.hostname) > len(h.prefix)+len(h.suffix) &&
		strings.HasPrefix(a.hostname, h.prefix) && strings.HasSuffix(a.hostname, h.suffix)
}

func (h *headerRule) matches(header http.Header) bool {
	return slices.ContainsFunc(header[h.name], func(value string) bool {
		if h.pattern != nil {
			return h.pattern.MatchString(value)
		}
		return slices.Contains(h.values, strings.ToLower(value))
	})
}
