package console

import (
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Options are what New needs.
type Options struct {
	// SIEM and Platform serve the halves' APIs. A nil one does not run in this
	// process, and its pages are not there. SIEM may be the very mux that the
	// console's routes are registered on.
	SIEM, Platform http.Handler
	// SIEMURL and PlatformURL are how clients reach the APIs, for what people are
	// to copy.
	SIEMURL, PlatformURL string
	Logger               *slog.Logger
	Now                  func() time.Time // nil: time.Now
}

// Console serves the pages.
type Console struct {
	halves   [halfCount]http.Handler
	urls     [halfCount]string
	sessions *sessions
	forgery  *forgery
	pages    map[string]*template.Template
	static   map[string]staticFile
	entries  []entry // of the navigation
	logger   *slog.Logger
	now      func() time.Time
}

// New makes a Console.
func New(o Options) (*Console, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Console{
		halves:   [halfCount]http.Handler{siemHalf: o.SIEM, platformHalf: o.Platform},
		urls:     [halfCount]string{siemHalf: o.SIEMURL, platformHalf: o.PlatformURL},
		sessions: newSessions(o.Now),
		forgery:  newForgery(),
		logger:   o.Logger,
		now:      o.Now,
	}
	var err error
	if c.static, err = readStatic(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if c.pages, err = parsePages(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	c.entries = c.navigation()
	return c, nil
}

// Routes registers the pages and what they load.
func (c *Console) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /static/{file}", c.serveStatic)
	for _, r := range routes() {
		if c.has(r.needs) {
			mux.Handle(r.pattern, c.open(r))
		}
	}
}

// Close ends all sessions, and with them the streams that browsers follow.
func (c *Console) Close() { c.sessions.close() }

// has says whether what a route needs runs in this process.
func (c *Console) has(needs need) bool { return needs.half() < 0 || c.halves[needs.half()] != nil }

// encrypted says whether the browser reached this address by TLS, here or at a
// proxy before it.
func (c *Console) encrypted(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	outside, err := url.Parse(c.urls[siemHalf])
	return err == nil && outside.Scheme == "https" && outside.Host == r.Host
}

func setSecurityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types fragment")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // queries are in the address
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}
