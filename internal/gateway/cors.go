package gateway

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/trailhook/trailhook/internal/entity"
)

// cors is the plugin cors (https://fetch.spec.whatwg.org/#http-cors-protocol).
type cors struct {
	Origins           []string `json:"origins"`
	Headers           []string `json:"headers"`
	Exposed           []string `json:"exposed_headers"`
	Methods           []string `json:"methods"`
	MaxAge            *float64 `json:"max_age"`
	Credentials       bool     `json:"credentials"`
	PrivateNetwork    bool     `json:"private_network"`
	PreflightContinue bool     `json:"preflight_continue"`
	AllowAbsent       bool     `json:"allow_origin_absent"`

	patterns []*regexp.Regexp
}

func newCORS(d entity.Document) (*cors, error) {
	p := &cors{}
	if err := decode(d, p); err != nil {
		return nil, err
	}
	for _, origin := range p.Origins {
		if origin == "*" {
			continue
		}
		pattern, err := regexp.Compile("^(?:" + origin + ")$")
		if err != nil {
			return nil, err
		}
		p.patterns = append(p.patterns, pattern)
	}
	return p, nil
}

func (p *cors) access(x *exchange) bool {
	origin := x.r.Header.Get("Origin")
	if origin == "" && !p.AllowAbsent {
		return true
	}
	preflight := x.r.Method == http.MethodOptions && origin != "" && x.r.Header.Get("Access-Control-Request-Method") != ""
	p.allow(x.headers, origin)
	if !preflight || p.PreflightContinue {
		if len(p.Exposed) > 0 {
			x.headers.Set("Access-Control-Expose-Headers", strings.Join(p.Exposed, ","))
		}
		return true
	}
	p.preflight(x)
	x.answerWith(http.StatusOK, "", nil)
	return false
}

// allow tells which origin may read the answer; none where the request's own may
// not.
func (p *cors) allow(header http.Header, origin string) {
	if len(p.Origins) == 0 || slices.Contains(p.Origins, "*") {
		if !p.Credentials {
			header.Set("Access-Control-Allow-Origin", "*")
			return
		}
		header.Set("Vary", "Origin")
		if origin != "" {
			header.Set("Access-Control-Allow-Origin", origin)
			header.Set("Access-Control-Allow-Credentials", "true")
		}
		return
	}
	header.Set("Vary", "Origin")
	if origin == "" || !slices.ContainsFunc(p.patterns, func(pattern *regexp.Regexp) bool { return pattern.MatchString(origin) }) {
		return
	}
	header.Set("Access-Control-Allow-Origin", origin)
	if p.Credentials {
		header.Set("Access-Control-Allow-Credentials", "true")
	}
}

func (p *cors) preflight(x *exchange) {
	if x.headers.Get("Access-Control-Allow-Origin") == "" {
		return
	}
	if len(p.Headers) > 0 {
		x.headers.Set("Access-Control-Allow-Headers", strings.Join(p.Headers, ","))
	} else if asked := x.r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		x.headers.Set("Access-Control-Allow-Headers", asked)
	}
	x.headers.Set("Access-Control-Allow-Methods", strings.Join(p.Methods, ","))
	if p.MaxAge != nil {
		x.headers.Set("Access-Control-Max-Age", strconv.FormatFloat(*p.MaxAge, 'f', 0, 64))
	}
	if p.PrivateNetwork && x.r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		x.headers.Set("Access-Control-Allow-Private-Network", "true")
	}
}

// clean has the upstream not allow what the plugin does not, and keeps what else
// its answer varies by.
func (p *cors) clean(answer, own http.Header) {
	for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"} {
		if own.Get(name) == "" {
			delete(answer, name)
		}
	}
}
