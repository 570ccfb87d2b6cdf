package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed static
var staticFiles embed.FS

// frame is what a page's template is given.
type frame struct {
	Nav     []navLink
	Account []credentialView // that the session holds
	Missing bool             // there is a half to which the session did not sign in
	Path    string
	Theme   string
	CSRF    string
	Notices []string
	Page    any
}

type navLink struct {
	entry
	Current bool
	First   bool // of a half after the first
}

type credentialView struct{ Credential, Name string }

// show answers with a page: the template pages/NAME.html with what it shows.
func (v *visit) show(name string, view any) error { return v.showStatus(name, http.StatusOK, view) }

func (v *visit) showStatus(name string, status int, view any) error {
	f := frame{Path: v.r.URL.Path, Theme: theme(v.r), Page: view}
	if v.id != "" {
		f.CSRF = v.console.forgery.token(v.id)
	}
	if v.session != nil {
		f.Notices = v.console.sessions.takeNotices(v.session)
		f.Nav = v.console.links(f.Path)
		for h := range halfCount {
			switch {
			case v.session.holds(h):
				f.Account = append(f.Account, credentialView{h.Credential(), v.session.credentials[h].name})
			case v.console.halves[h] != nil:
				f.Missing = true
			}
		}
	}
	return v.render(name, "layout", status, f)
}

// links are the navigation on the page of a path.
func (c *Console) links(path string) []navLink {
	var links []navLink
	for i, e := range c.entries {
		links = append(links, navLink{
			entry:   e,
			Current: e.Path == path || e.Path != "/" && strings.HasPrefix(path, e.Path+"/"),
			First:   i > 0 && c.entries[i-1].Half != e.Half,
		})
	}
	return links
}

// fragment answers a script with a part of a page: a template that pages/NAME.html
// defines.
func (v *visit) fragment(name, part string, view any) error {
	return v.render(name, part, http.StatusOK, view)
}

func (v *visit) render(name, part string, status int, view any) error {
	var out bytes.Buffer
	page, ok := v.console.pages[name]
	if !ok {
		return fmt.Errorf("there is no page %q", name)
	}
	if err := page.ExecuteTemplate(&out, part, view); err != nil {
		// Not by fail, which would render again.
		v.console.logger.Error("console: a page cannot be rendered", "page", name, "error", err)
		http.Error(v.w, "The page cannot be rendered: see the server's log.", http.StatusInternalServerError)
		return nil
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	v.w.Write(out.Bytes()) // an error is the browser's going away
	return nil
}

// parsePages reads the templates: each page with the layout and the components.
func parsePages() (map[string]*template.Template, error) {
	base, err := template.New("").Funcs(functions()).ParseFS(pageFiles, "pages/layout.html", "pages/components.html")
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || name == "components" {
			continue
		}
		page, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if pages[name], err = page.ParseFS(pageFiles, file); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// functions are what templates can call.
func functions() template.FuncMap {
	return template.FuncMap{
		"when":    when,
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"count":   countText,
		"bytes":   bytesText,
		"plural":  plural,
		"args":    args,
		"list":    func(items ...any) []any { return items },
	}
}

// when writes a time in UTC; scripts turn it into the reader's zone.
func when(t time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	t = t.UTC()
	machine, shown := t.Format("2006-01-02T15:04:05.000Z"), t.Format("2006-01-02 15:04:05")
	return template.HTML(`<time datetime="` + machine + `" title="` + shown + ` UTC">` + shown + `<span class="zone"> UTC</span></time>`)
}

// countText writes a number with commas between thousands.
func countText(n any) string {
	text := fmt.Sprint(n)
	digits := strings.TrimPrefix(text, "-")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return text[:len(text)-len(strings.TrimPrefix(text, "-"))] + digits
}

func bytesText(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	if unit == 0 {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	return strconv.FormatFloat(size, 'f', 1, 64) + " " + units[unit]
}

// plural writes a number with the word for one or for many: plural 3 "event" "events".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return countText(n) + " " + many
}

// args makes a map of names and values, for a template that is given several.
func args(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("args: a name without a value")
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errors.New("args: a name that is no string")
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

func escapeQuery(s string) string { return url.QueryEscape(s) }

// staticFile is a file that pages load, with its ETag.
type staticFile struct {
	content []byte
	tag     string
}

func readStatic() (map[string]staticFile, error) {
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		return nil, err
	}
	files := map[string]staticFile{}
	for _, e := range entries {
		content, err := staticFiles.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		files[e.Name()] = staticFile{content, `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
	return files, nil
}

// serveStatic answers with a file. The browser asks each time whether it is still
// the same, so that a page never runs with the scripts of another version.
func (c *Console) serveStatic(w http.ResponseWriter, r *http.Request) {
	setSecurityHeaders(w.Header())
	name := r.PathValue("file")
	file, ok := c.static[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", file.tag)
	if strings.HasSuffix(name, ".js") { // whatever this machine's table of types says
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(file.content))
}

// json answers a script with data.
func (v *visit) json(data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Write(text) // an error is the browser's going away
	return nil
}
