package gateway

import (
	"crypto/sha256"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/trailhook/trailhook/internal/entity"
)

// maxKeyBody is how large a body may be in which a key is looked for.
const maxKeyBody = 1 << 20

// keyAuth is the plugin key-auth.
type keyAuth struct {
	Names       []string `json:"key_names"`
	Hide        bool     `json:"hide_credentials"`
	Anonymous   string   `json:"anonymous"`
	InHeader    bool     `json:"key_in_header"`
	InQuery     bool     `json:"key_in_query"`
	InBody      bool     `json:"key_in_body"`
	OnPreflight bool     `json:"run_on_preflight"`
	Realm       string   `json:"realm"`
}

func newKeyAuth(d entity.Document) (*keyAuth, error) {
	p := &keyAuth{}
	return p, decode(d, p)
}

// What tells an upstream who calls. Nobody else's word on it is passed on.
var identityHeaders = [...]string{"X-Consumer-Id", "X-Consumer-Username", "X-Consumer-Custom-Id", "X-Credential-Identifier", "X-Anonymous-Consumer"}

func (p *keyAuth) access(x *exchange) bool {
	x.identity = http.Header{}
	for _, name := range identityHeaders {
		x.identity[name] = nil
	}
	if !p.OnPreflight && x.r.Method == http.MethodOptions {
		return true
	}
	keys := p.find(x)
	var found *credential
	message := "Unauthorized"
	switch len(keys) {
	case 0:
		message = "No API key found in request"
	case 1:
		if key := x.table.keys[sha256.Sum256([]byte(keys[0]))]; key != nil && !key.Ended(x.begun.Unix()) {
			found = key
		}
	default:
		message = "Duplicate API key found"
	}
	if found != nil {
		x.identify(found.consumer, found.ID())
		return true
	}
	if p.Anonymous == "" {
		challenge := "Key"
		if p.Realm != "" {
			challenge += ` realm="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p.Realm) + `"`
		}
		x.headers.Set("WWW-Authenticate", challenge)
		x.answer(http.StatusUnauthorized, message)
		return false
	}
	anonymous := x.table.consumers[p.Anonymous]
	if anonymous == nil {
		anonymous = x.table.byName[p.Anonymous]
	}
	if anonymous == nil {
		x.answer(http.StatusInternalServerError, "the anonymous consumer is not there")
		return false
	}
	x.anonymous = true
	x.identify(anonymous, "")
	return true
}

// identify makes the consumer known, to the upstream too.
func (x *exchange) identify(c *consumer, credential string) {
	x.consumer, x.credential = c, credential
	x.identity["X-Consumer-Id"] = []string{c.id}
	if c.username != "" {
		x.identity["X-Consumer-Username"] = []string{c.username}
	}
	if c.customID != "" {
		x.identity["X-Consumer-Custom-Id"] = []string{c.customID}
	}
	if credential != "" {
		x.identity["X-Credential-Identifier"] = []string{credential}
	}
	if x.anonymous {
		x.identity["X-Anonymous-Consumer"] = []string{"true"}
	}
}

// find looks for the key by its names, in the header first, and takes it away
// where it is to be hidden. More than one value of the first name that has any
// is no key.
func (p *keyAuth) find(x *exchange) []string {
	query := p.values(x)
	for _, name := range p.Names {
		if values := x.r.Header.Values(name); p.InHeader && len(values) > 0 {
			if p.Hide {
				x.r.Header.Del(name)
			}
			return slices.Compact(slices.Clone(values))
		}
		if values := query[name]; len(values) > 0 {
			if p.Hide {
				x.r.URL.RawQuery = p.withoutKeys(x.r.URL.RawQuery)
			}
			return values
		}
	}
	if p.InBody && x.body != nil {
		return p.findInBody(x)
	}
	return nil
}

func (p *keyAuth) values(x *exchange) url.Values {
	if !p.InQuery || x.r.URL.RawQuery == "" {
		return nil
	}
	return x.r.URL.Query()
}

// withoutKeys takes the keys out of a query, and leaves all else as it is.
func (p *keyAuth) withoutKeys(query string) string {
	parts := strings.Split(query, "&")
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool {
		name, _, _ := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(name)
		return err == nil && slices.Contains(p.Names, plain)
	}), "&")
}

// findInBody looks into a form or a JSON object that is not too large. What is
// hidden is taken out of what goes on.
func (p *keyAuth) findInBody(x *exchange) []string {
	media, _, _ := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	if media != "application/x-www-form-urlencoded" && media != "application/json" {
		return nil
	}
	text, all := x.body.peek(maxKeyBody)
	if !all {
		return nil
	}
	if media == "application/json" {
		return p.findInJSON(x, text)
	}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return nil
	}
	for _, name := range p.Names {
		if values := form[name]; len(values) > 0 {
			if p.Hide {
				x.replaceBody([]byte(p.withoutKeys(string(text))))
			}
			return values
		}
	}
	return nil
}

func (p *keyAuth) findInJSON(x *exchange, text []byte) []string {
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil {
		return nil
	}
	for _, name := range p.Names {
		var key string
		if raw, has := object[name]; !has || json.Unmarshal(raw, &key) != nil || key == "" {
			continue
		}
		if p.Hide {
			delete(object, name)
			if rest, err := json.Marshal(object); err == nil {
				x.replaceBody(rest)
			}
		}
		return []string{key}
	}
	return nil
}

// replaceBody has another body sent on than the one that was read.
func (x *exchange) replaceBody(text []byte) {
	x.body.head = text
	x.r.ContentLength = int64(len(text))
	x.r.Header.Del("Content-Length")
}
